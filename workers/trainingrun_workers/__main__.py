"""`python -m trainingrun_workers <kind>`: runs one stage in its pod and leaves its last words.

The process ends with a `contract.ExitCode`; anything that nobody foresaw ends it with 1 and the reason `Crashed`.
"""

import dataclasses
import importlib
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, NoReturn

from trainingrun_workers import contract
from trainingrun_workers.contract import Result, StageInput
from trainingrun_workers.errors import BadConfig, Preempted, StageError, VolumeFull, wrong_image
from trainingrun_workers.patience import VOLUME_SECONDS, within
from trainingrun_workers.pod_log import Output, log_file
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, write_atomic
from trainingrun_workers.volume_watch import VolumeWatch

TERMINATION_VARIABLE: Final = "TRAININGRUN_TERMINATION_LOG"
MODULES: Final = {
    "tokenize": "tokenization.start",
    "pretrain": "pretrain",
    "convert": "convert",
    "evaluate": "evaluate",
    "sft": "sft",
    "dpo": "sft",
    "cpt": "sft",
    "prepare": "sft.preparation",
    "release": "release.stage",
    "judge": "judge.stage",
    "compare": "evaluate.compared",
    "report": "report",
}
INDEX_VARIABLES: Final = ("JOB_COMPLETION_INDEX", "PET_NODE_RANK", "RANK")
CRASHED: Final = 1
LOGGER: Final = logging.getLogger("trainingrun_workers")

Stage = Callable[[StageInput, Volume, Reporter], Result]


def pod_index(environment: Mapping[str, str]) -> int:
    """The pod's index in its Indexed Job or the node's rank in its gang, 0 for a pod on its own."""
    return next((int(environment[name]) for name in INDEX_VARIABLES if environment.get(name)), 0)


def read_input(path: Path, kind: str) -> StageInput:
    """The stage's input; BadConfig when it is missing, of another contract or of another kind."""
    try:
        stage_input = StageInput.from_json(path.read_text())
    except FileNotFoundError as error:
        raise BadConfig("InputMissing", f"There is no stage input at {path}: mount the stage's ConfigMap.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadConfig("InputInvalid", f"The stage input at {path} can't be read: {error}") from error
    if stage_input.kind != kind:
        raise BadConfig(
            "InputInvalid", f"The input at {path} is for a {stage_input.kind} stage, but {kind} was called for."
        )
    return stage_input


def load_stage(kind: str) -> Stage:
    """The stage's `run`; BadConfig when the image lacks what its module imports."""
    name = f"trainingrun_workers.{MODULES[kind]}"
    try:
        stage: Stage = importlib.import_module(name).run
    except ModuleNotFoundError as error:
        raise wrong_image(kind, error) from error
    return stage


class LastWords:
    """Leaves the pod's result as its termination message and, once the input is known, on the volume."""

    def __init__(self) -> None:
        self._message = Path(os.environ.get(TERMINATION_VARIABLE, contract.TERMINATION_LOG))
        self.file: Path | None = None

    def leave_here(self, result: Result) -> int:
        """Write the result where the kubelet reads it, and yield its exit code."""
        LOGGER.info("%s: %s", result.reason, result.message)
        self._write(self._message.write_text, result.to_json())
        return result.exit_code

    def leave(self, result: Result) -> int:
        """Write the result to both places and yield its exit code; a place that can't be written is logged."""
        self.leave_here(result)
        if self.file:
            full = json.dumps(dataclasses.asdict(result), sort_keys=True, indent=1)
            file = self.file
            self._write(lambda text: within(VOLUME_SECONDS, lambda: write_atomic(file, text)), full)
        return result.exit_code

    def crashed(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """As sys.excepthook: leave a sentence for what nobody foresaw, and the traceback on stderr."""
        traceback.print_exception(kind, error, trace)
        text = " ".join(str(error).split())[:1000]
        self.leave(Result(CRASHED, "Crashed", f"The stage crashed with {kind.__name__}: {text}; see the pod's log."))

    @staticmethod
    def _write(write: Callable[[str], object], text: str) -> None:
        try:
            write(text)
        except OSError as error:
            LOGGER.warning("The result could not be written: %s", error)


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """The handler of SIGTERM for stages that have none of their own."""
    raise Preempted("The pod was told to stop; what is done stays on the volume and the stage goes on from there.")


def run_stage(kind: str, words: LastWords, output: Output) -> Result:
    """Run the stage to its end; every foreseen failure comes back as a Result."""
    stage_input = read_input(Path(os.environ.get(contract.INPUT_VARIABLE, contract.DEFAULT_INPUT)), kind)
    watch, index = VolumeWatch(words.leave_here), pod_index(os.environ)
    with watch.waiting():
        volume = Volume(Path(os.environ.get(contract.VOLUME_VARIABLE, contract.DEFAULT_VOLUME)))
        volume.check()
        words.file = volume.path(stage_input.run_folder) / "results" / (
            f"{stage_input.stage}-a{stage_input.attempt}-{index}.json"
        )  # fmt: skip
        output.keep(log_file(stage_input, volume, index))
        logging.getLogger().handlers[0].setFormatter(log_format(stage_input.stage))
        reporter = Reporter(stage_input, volume, index, watch=watch)
    with reporter:
        return load_stage(kind)(stage_input, volume, reporter)


def log_format(stage: str) -> logging.Formatter:
    """One line a message, with the time in UTC and the stage."""
    formatter = logging.Formatter(f"%(asctime)sZ {stage} %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    return formatter


def main(arguments: list[str]) -> int:
    """Run the stage of the given kind and yield the process' exit code."""
    if arguments[:1] == ["artifacts"]:  # no stage: it has neither an input nor a run
        return int(importlib.import_module("trainingrun_workers.artifacts.__main__").main(arguments[1:]))
    if len(arguments) != 1 or arguments[0] not in MODULES:
        print(f"usage: python -m trainingrun_workers {{{','.join(MODULES)}}}", file=sys.stderr)
        return int(contract.ExitCode.BAD_CONFIG)
    os.umask(0o002)  # stages of one run have other users but the same group
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(log_format(arguments[0]))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    words = LastWords()
    sys.excepthook = words.crashed
    signal.signal(signal.SIGTERM, stop)
    with Output() as output:
        handler.setStream(sys.stdout)
        return _worked(arguments[0], words, output)


def _worked(kind: str, words: LastWords, output: Output) -> int:
    try:
        return words.leave(run_stage(kind, words, output))
    except StageError as error:
        return words.leave(error.result())
    except OSError as error:
        full = VolumeFull.of(error)
        if full is None:
            raise
        return words.leave(full.result())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
