import errno

import pytest

from trainingrun_workers.contract import ExitCode
from trainingrun_workers.errors import StageError
from trainingrun_workers.sft.failures import Phase, meaning


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def found(error: Exception, phase: Phase, step: int | None = None) -> StageError:
    result = meaning(error, phase, step)
    assert result is not None
    return result


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file data/1"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 4366208 vs 4366096"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
        caused(ValueError("An error occurred while generating the dataset"), OSError(errno.ENOSPC, "full")),
    ],
)
def test_a_full_volume_is_tried_again_in_every_phase(error: Exception) -> None:
    for phase in Phase:
        result = found(error, phase, 30)

        assert (result.exit_code, result.reason, result.step) == (ExitCode.RETRY, "VolumeFull", 30)
        assert "it goes on from step 30" in result.message


def test_what_axolotl_refuses_while_it_reads_is_the_datas_fault() -> None:
    result = found(KeyError("instruction"), Phase.READING)

    assert (result.exit_code, result.reason) == (ExitCode.BAD_DATA, "DataRefused")
    assert result.message == "Axolotl can't use the data: KeyError: 'instruction'."


@pytest.mark.parametrize("phase", [Phase.CONFIGURING, Phase.BUILDING])
def test_what_axolotl_refuses_before_it_trains_is_the_configurations_fault(phase: Phase) -> None:
    result = found(ImportError("FlashAttention2 has been toggled on, but it cannot be used."), phase)

    assert (result.exit_code, result.reason) == (ExitCode.BAD_CONFIG, "AxolotlRefused")
    assert result.message == f"{phase.value}: FlashAttention2 has been toggled on, but it cannot be used."


def test_too_little_gpu_memory_says_what_to_lower() -> None:
    result = found(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), Phase.TRAINING)

    assert (result.exit_code, result.reason) == (ExitCode.RETRY, "OutOfMemory")
    assert "lower micro_batch_size or sequence_len; it goes on from the start" in result.message


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (RuntimeError("NCCL error"), Phase.TRAINING),
        (ValueError("odd"), Phase.TRAINING),
        (OSError(errno.EIO, "Input/output error"), Phase.READING),
        (RuntimeError("CUDA driver error"), Phase.BUILDING),
    ],
)
def test_what_is_nobodys_fault_stays_what_it_is(error: Exception, phase: Phase) -> None:
    assert meaning(error, phase, None) is None
