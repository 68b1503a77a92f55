"""Names, places and exit codes that both sides know."""

import enum
from typing import Final

CONTRACT_VERSION: Final = 1

VOLUME_VARIABLE: Final = "TRAININGRUN_VOLUME"  # set by tests to work elsewhere than on DEFAULT_VOLUME
INPUT_VARIABLE: Final = "TRAININGRUN_INPUT"
NODE_VARIABLE: Final = "TRAININGRUN_NODE_NAME"  # the name of the node that the pod is on
DEFAULT_VOLUME: Final = "/volume"
DEFAULT_INPUT: Final = "/etc/trainingrun/input.json"
TOKEN_FILE: Final = "/var/run/secrets/trainingrun/token"
TERMINATION_LOG: Final = "/dev/termination-log"

COMPLETE_COUNT: Final = (
    "complete"  # a tokenize stage's count SOURCE.complete is 1 once that source's folder is complete
)
COMPLETE_MARKER: Final = "COMPLETE.json"  # written last into a finished folder: its JSON is the stage's output
CHECKPOINT_FOLDER: Final = "checkpoints"  # below a pretrain stage's folder: step-00000300/…
MAX_RESULT_BYTES: Final = 3500  # a termination message is cut at 4096


class ExitCode(enum.IntEnum):
    """How a pod's main process ends, after sysexits.h; any other code is an infrastructure failure."""

    DONE = 0
    BAD_DATA = 65  # the input data is at fault: never retried
    RETRY = 75  # something outside failed (disk full, peer gone): retried
    BAD_CONFIG = 78  # the configuration is at fault: never retried
    PREEMPTED = 143  # told to stop (SIGTERM) and saved: retried without a limit


def checkpoint_name(step: int) -> str:
    """The folder of a checkpoint or of a model made from it: step-00000300."""
    return f"step-{step:08d}"
