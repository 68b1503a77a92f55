"""What can go wrong when runs are used from Python, each with a message of a sentence or a few.

CommandError              whatever keeps a call from doing its work; the command line prints it
├── AbsentError           there is no such object
├── UnreachableError      the API server doesn't answer at the moment
├── UnservedError         the API server doesn't know the kind
├── RunFailedError        the run that is waited for has failed
└── TimedOutError         what is waited for has not come
"""

from __future__ import annotations

from trainingrun.commands.manifest import FAULTY, NO_CLUSTER, CommandError


class RunFailedError(CommandError):
    """The run that is waited for has failed, and will not be what it is waited for."""

    def __init__(self, message: str) -> None:
        super().__init__(message, FAULTY)


class TimedOutError(CommandError, TimeoutError):
    """What is waited for has not come in time; the run goes on."""

    def __init__(self, message: str) -> None:
        super().__init__(message, NO_CLUSTER)
