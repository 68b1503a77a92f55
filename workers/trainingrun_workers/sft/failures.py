"""What an exception of Axolotl, or of a library below it, means for the stage."""

import enum
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from trainingrun_workers.errors import NO_ROOM, BadConfig, BadData, Retry, StageError, VolumeFull

_SHOWN: Final = 900  # characters of another's message
# The last two are torch's words for a write that the disk cut short.
_NO_ROOM: Final = (
    "No space left", "os error 28", "Disk quota exceeded", "PytorchStreamWriter failed", "unexpected pos",
)  # fmt: skip
# What code raises that can't do with what it was given; anything else is nobody's fault and tried again.
_REFUSALS: Final = (ValueError, TypeError, KeyError, AttributeError, IndexError, AssertionError, NotImplementedError)


class Phase(enum.Enum):
    """What the stage is at, and so what is at fault when it is refused."""

    CONFIGURING = "Axolotl refuses the configuration"
    READING = "Axolotl can't use the data"
    BUILDING = "Axolotl can't train with the configuration"
    TRAINING = "The training failed"


class Progress:
    """Holds the phase, which changes in the midst of Axolotl's work."""

    def __init__(self) -> None:
        self.phase = Phase.CONFIGURING

    @contextmanager
    def translated(self, newest: Callable[[], int | None]) -> Iterator[None]:
        """Exceptions as StageErrors where they tell something; `newest` yields the step that is safe."""
        import jinja2
        from datasets.exceptions import DatasetsError
        from safetensors import SafetensorError

        known = (*_REFUSALS, OSError, RuntimeError, ImportError, DatasetsError, SafetensorError, jinja2.TemplateError)
        try:
            yield
        except StageError:
            raise
        except known as error:
            translated = meaning(error, self.phase, newest())
            if translated is None:
                raise
            raise translated from error


def meaning(error: Exception, phase: Phase, step: int | None) -> StageError | None:
    """The error as the stage's own, or None where it tells no more than that something crashed; `step` is safe."""
    if any(_says_no_room(one) for one in _chain(error)):
        return VolumeFull(
            "The volume had no room for what the stage writes: make room on the claim or use a larger one; it goes on "
            f"from {_place(step)}.", step,
        )  # fmt: skip
    if "out of memory" in str(error).lower():
        return Retry(
            "OutOfMemory",
            f"The GPU's memory did not suffice ({_words(error)}): lower micro_batch_size or sequence_len; it goes on "
            f"from {_place(step)}.", step,
        )  # fmt: skip
    message = f"{phase.value}: {_words(error)}."
    if phase is Phase.READING and not _is_system(error):
        return BadData("DataRefused", message)
    if phase in (Phase.CONFIGURING, Phase.BUILDING) and isinstance(error, (*_REFUSALS, ImportError)):
        return BadConfig("AxolotlRefused", message)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _says_no_room(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return any(words in str(error) for words in _NO_ROOM)


def _is_system(error: Exception) -> bool:
    """Whether it is the machine's or the network's doing: no such file is the data's."""
    return isinstance(error, OSError) and error.errno not in (None, errno.ENOENT)


def _words(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if callable(details):  # pydantic's
        said = (f"{'.'.join(map(str, one['loc'])) or 'configuration'}: {one['msg']}" for one in details())
        return "; ".join(said)[:_SHOWN].rstrip(".")
    cause = error.__cause__ if type(error).__name__ == "DatasetGenerationError" else None
    text = " ".join(str(cause or error).split())[:_SHOWN].rstrip(".")
    return f"{type(cause or error).__name__}: {text}" if isinstance(error, KeyError) or not text else text


def _place(step: int | None) -> str:
    return f"step {step}" if step else "the start"
