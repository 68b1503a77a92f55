"""The ways a stage ends early, each with the exit code that tells the operator whether to try again.

StageError
├── BadData      65  the input data is at fault: mended by other data
├── Retry        75  something outside failed: tried again by itself
│   └── VolumeFull   no room or quota left on the volume
├── BadConfig    78  the configuration is at fault: mended in the manifest
└── Preempted   143  told to stop, after saving `step`
"""
# ruff: noqa: N818 - the names say what the operator makes of them, as kopf's TemporaryError and PermanentError do

import errno
from typing import Any, Final, Self

from trainingrun_workers.contract import ExitCode, Result

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class StageError(Exception):
    """A stage that can't go on: `reason` is one CamelCase word, `message` one sentence for the user."""

    def __init__(self, exit_code: ExitCode, reason: str, message: str, step: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.reason = reason
        self.message = message
        self.step = step
        self.output: dict[str, Any] = {}  # what the operator is to know besides: the node of a BadNode

    def result(self) -> Result:
        """The pod's last words for this error."""
        return Result(
            exit_code=int(self.exit_code), reason=self.reason, message=self.message, step=self.step, output=self.output
        )


class BadData(StageError):
    """The input data is at fault; never retried."""

    def __init__(self, reason: str, message: str, step: int | None = None) -> None:
        super().__init__(ExitCode.BAD_DATA, reason, message, step)


class BadConfig(StageError):
    """The configuration is at fault; never retried."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(ExitCode.BAD_CONFIG, reason, message)


class Retry(StageError):
    """Something outside the stage failed; retried."""

    def __init__(self, reason: str, message: str, step: int | None = None) -> None:
        super().__init__(ExitCode.RETRY, reason, message, step)


class VolumeFull(Retry):
    """The volume has no room or quota left; retried, since room can be made."""

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__("VolumeFull", message, step)

    @classmethod
    def of(cls, error: OSError) -> Self | None:
        """The error as VolumeFull where it is ENOSPC or EDQUOT, else None."""
        if error.errno not in NO_ROOM:
            return None
        where = f" while writing {error.filename}" if error.filename else ""
        return cls(f"The volume is full{where}: make room on the claim or use a larger one, then it goes on by itself.")


class Preempted(StageError):
    """The pod was told to stop; `step` is the newest one that is safe on the volume."""

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__(ExitCode.PREEMPTED, "Preempted", message, step)


def wrong_image(kind: str, error: ModuleNotFoundError) -> BadConfig:
    """What is said where an image lacks what a stage imports."""
    return BadConfig(
        "WrongImage", f"This image has no module {error.name}, which a {kind} stage needs: use that stage's image."
    )
