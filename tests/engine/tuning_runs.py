"""Stages that Axolotl trains, of each kind, run once for all tests of a session: through, and interrupted.

What goes through has its data prepared by a stage of their own, with a configuration for GPUs; what is interrupted
prepares them itself. That both end as one says that neither preparing nor resuming changes anything.
"""

import dataclasses
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from engine import dpo_runs, sft_runs
from engine.sft_runs import rank
from engine.stage_runs import StageRun
from trainingrun_workers.contract import Result, SftSpec
from trainingrun_workers.volume import read_marker

PLACE: Final = "artifacts/prepare/aaaa"
KEPT: Final = "artifacts/prepare/kept"  # a copy of what was prepared, before the gang has taken it
SECONDS: Final = 300.0  # for an attempt that trains to its end
GPUS: Final[dict[str, Any]] = {
    "bf16": "auto", "tf32": True, "attn_implementation": "flash_attention_2", "fsdp_version": 2,
    "fsdp_config": {"reshard_after_forward": True, "state_dict_type": "FULL_STATE_DICT"},
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of stage, and what is done to a run of it: a signal to its rank, or SIGTERM to its pod, by step."""

    name: str
    folder: str
    steps: int
    make_stage: Callable[[Path, Path, Path], StageRun]
    spec: Callable[..., SftSpec]
    interruptions: tuple[tuple[int, signal.Signals], ...]


SFT: Final = Kind(
    "sft", sft_runs.FOLDER, sft_runs.STEPS, sft_runs.make_stage, sft_runs.spec,
    ((13, signal.SIGKILL), (17, signal.SIGINT), (36, signal.SIGTERM)),
)  # fmt: skip
DPO: Final = Kind(
    "dpo",
    dpo_runs.FOLDER,
    dpo_runs.STEPS,
    dpo_runs.make_stage,
    dpo_runs.spec,
    ((4, signal.SIGKILL), (7, signal.SIGTERM)),
)


@dataclass(frozen=True)
class Through:
    """A run to the end without interruption, over prepared data; not to be changed."""

    kind: Kind
    run: StageRun
    prepared: Result
    prepare_log: str
    result: Result


@dataclass(frozen=True)
class Interrupted:
    """A run that ended early, in several ways one after the other, before it came to its end."""

    run: StageRun
    early: dict[signal.Signals, Result]
    marker: dict[str, Any] | None  # the stage's, before its last attempt
    done: Result
    first_log: str
    log: str  # of the last attempt


@dataclass
class TuningRuns:
    """Makes each of them when a test first asks for one of its kind."""

    python: Path
    base: Path
    folder: Callable[[str], Path]

    def __post_init__(self) -> None:
        self.of = cache(self._both)

    def _both(self, kind: Kind) -> tuple[Through, Interrupted]:
        with ThreadPoolExecutor() as both:
            through = both.submit(self._through, kind)
            interrupted = both.submit(self._interrupted, kind)
        return through.result(), interrupted.result()

    def _through(self, kind: Kind) -> Through:
        run = kind.make_stage(self.python, self.base, self.folder(f"{kind.name}-through"))
        prepare = StageRun(self.python, "prepare", run.volume, PLACE)
        prepared = prepare.run(kind.spec(**GPUS), SECONDS)
        assert prepared.reason == "Completed", prepared.message + prepare.log()[-4000:]
        shutil.copytree(run.volume / PLACE, run.volume / KEPT)
        result = run.run(dataclasses.replace(kind.spec(), prepared=PLACE), SECONDS)
        assert result.reason == "Completed", result.message + run.log()[-4000:]
        return Through(kind, run, prepared, prepare.log(), result)

    def _interrupted(self, kind: Kind) -> Interrupted:
        run = kind.make_stage(self.python, self.base, self.folder(f"{kind.name}-interrupted"))
        early: dict[signal.Signals, Result] = {}
        logs: list[str] = []
        for step, one in kind.interruptions:
            pod = sft_runs.start(run, step, kind.spec(), kind.steps)
            os.kill(pod.process.pid if one is signal.SIGTERM else rank(pod), one)
            early[one] = pod.wait(SECONDS)
            logs.append(run.log())
            (run.volume / kind.folder / "checkpoints/checkpoint-99").mkdir(exist_ok=True)
        marker = read_marker(run.volume / kind.folder)
        done = run.run(kind.spec(), SECONDS)
        return Interrupted(run, early, marker, done, logs[0], run.log())


def only_prepared(run: StageRun, place: str = PLACE) -> Path:
    """The folder of data that a prepare stage has left on a run's volume."""
    (folder,) = (path for path in (run.volume / place).glob("prepared-*") if path.is_dir())
    return folder
