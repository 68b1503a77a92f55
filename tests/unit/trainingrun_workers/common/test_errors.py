"""How errors become exit codes."""

import errno

import pytest

from trainingrun_workers.errors import BadConfig, BadData, Preempted, Retry, StageError, VolumeFull


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (BadData("SourceMissing", "There is no data."), 65, "SourceMissing"),
        (Retry("PeerGone", "A peer is gone."), 75, "PeerGone"),
        (VolumeFull("The volume is full."), 75, "VolumeFull"),
        (BadConfig("TokenizerMissing", "There is no tokenizer."), 78, "TokenizerMissing"),
        (Preempted("Told to stop."), 143, "Preempted"),
    ],
)
def test_every_error_has_its_exit_code(error: StageError, code: int, reason: str) -> None:
    result = error.result()
    assert (result.exit_code, result.reason, result.message) == (code, reason, str(error))


def test_a_preempted_stage_tells_the_step_that_is_safe() -> None:
    assert Preempted("Told to stop.", 300).result().step == 300


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_and_no_quota_are_a_full_volume(number: int) -> None:
    full = VolumeFull.of(OSError(number, "none", "/volume/x"))
    assert full is not None
    assert "/volume/x" in full.message


def test_other_errors_of_the_machine_are_not_a_full_volume() -> None:
    assert VolumeFull.of(OSError(errno.EIO, "broken")) is None
