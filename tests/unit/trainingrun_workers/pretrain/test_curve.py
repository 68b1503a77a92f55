import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainingrun_workers.claim import Claim
from trainingrun_workers.errors import Retry
from trainingrun_workers.pretrain.curve import FILE, Curve, read


def claimed(folder: Path, attempt: int) -> Claim:
    claim = Claim(folder, "uid", attempt)
    claim.take()
    return claim


def steps(folder: Path) -> list[int]:
    return [line["step"] for line in read(folder)]


def add(curve: Curve, first: int, last: int) -> Curve:
    for step in range(first, last + 1):
        curve.add({"step": step, "loss": 1.0})
    return curve


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Curve]:
    """The curve of an attempt that does not end when the next begins."""
    curve = add(Curve(claimed(tmp_path, 1), 0), 1, 30)
    curve.write()
    yield curve
    with contextlib.suppress(Retry):
        curve.close()


def test_a_resumed_curve_has_neither_gap_nor_double(tmp_path: Path) -> None:
    add(Curve(claimed(tmp_path, 1), 0), 1, 30).close()
    with (tmp_path / FILE).open("a") as file:
        file.write('{"step": 31, "lo')
    add(Curve(claimed(tmp_path, 2), 20), 21, 40).close()

    assert steps(tmp_path) == list(range(1, 41))


def test_an_attempt_that_was_replaced_writes_no_line(tmp_path: Path, late: Curve) -> None:
    add(Curve(claimed(tmp_path, 2), 20), 21, 25).close()
    before = (tmp_path / FILE).read_bytes()

    late.add({"step": 31, "loss": 1.0})
    with pytest.raises(Retry, match="no longer holds"):
        late.write()
    assert (tmp_path / FILE).read_bytes() == before
    with pytest.raises(Retry, match="no longer holds"):
        Curve(Claim(tmp_path, "uid", 1), 30)


def test_even_what_was_on_its_way_when_it_was_replaced_does_not_arrive(
    tmp_path: Path, late: Curve, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(Curve(claimed(tmp_path, 2), 20), 21, 25).close()
    monkeypatch.setattr(Claim, "held", lambda claim: True)  # as it was when it looked
    late.add({"step": 31, "loss": 1.0})
    late.write(sync=True)

    assert steps(tmp_path) == list(range(1, 26))
    assert json.loads((tmp_path / FILE).read_text().splitlines()[-1])["step"] == 25
