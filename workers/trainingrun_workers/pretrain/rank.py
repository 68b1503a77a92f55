"""One rank of the pretrain stage: `python -m trainingrun_workers.pretrain.rank`, under torchrun."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trainingrun_workers import contract, flight_recorder
from trainingrun_workers.background_write import WriteSign
from trainingrun_workers.claim import Claim
from trainingrun_workers.contract import ExitCode, PretrainSpec, Result, StageInput
from trainingrun_workers.launched import Activity, LaunchedRank, run_rank
from trainingrun_workers.pretrain.checkpoints import skips_before
from trainingrun_workers.pretrain.curve import Curve
from trainingrun_workers.pretrain.data_plan import DataPlan
from trainingrun_workers.pretrain.engines import check_engine, engine
from trainingrun_workers.pretrain.token_folder import TokenFolder
from trainingrun_workers.reporting import answer_file
from trainingrun_workers.torch_engine.ends import check_ends
from trainingrun_workers.volume import Volume, read_marker
from trainingrun_workers.watchdog import name_nodes, node_name

LOGGER: Final = logging.getLogger("trainingrun_workers.pretrain.rank")  # not __main__, which nobody listens to
NOTICEABLE: Final = 0.01  # of a source's tokens


def main(rank: LaunchedRank) -> Result:
    """Train, or go on training, to the last step; yields the stage's output."""
    stage_input = StageInput.from_json(Path(os.environ[contract.INPUT_VARIABLE]).read_text())
    volume = Volume(Path(os.environ[contract.VOLUME_VARIABLE]))
    spec: PretrainSpec = stage_input.spec  # type: ignore[assignment]
    rank.report(now=True, total=spec.total_steps, activity="starting")
    data = Data(spec, volume)
    if rank.rank == 0:
        data.log()
    rank.report(now=True, notes=data.notes())
    return _train(rank, spec, stage_input, volume, data)


class Data:
    """The run's samples, read from the volume."""

    def __init__(self, spec: PretrainSpec, volume: Volume) -> None:
        tokens = spec.config["tokens"]
        length = tokens["sequence_length"]
        folders = {source.folder for stage in spec.data for source in stage.sources}
        self._folders = {one: TokenFolder(volume.path(one), spec.token_bytes, length) for one in sorted(folders)}
        check_ends(spec, self._folders.values())
        windows = {name: folder.windows for name, folder in self._folders.items()}
        self._plan = DataPlan(spec.data, windows, spec.tokens_per_step // length, spec.skips)
        self._length = length

    def windows(self, first: int, end: int) -> Iterator[bytes]:
        """The tokens of the run's samples with the numbers from `first` to before `end`, one after another."""
        return (self._folders[folder].window(index) for folder, index in self._plan.samples(first, end))

    def left_out(self) -> dict[str, int]:
        """How many tokens of each source are in no window, since they end a token file, by the source's name."""
        names = self._plan.sources()
        return {names[name].name: folder.left_out for name, folder in self._folders.items()}

    def notes(self) -> tuple[str, ...]:
        """A warning for each source of which a noticeable part is in no window."""
        names = self._plan.sources()
        return tuple(
            f"Of source {names[name].name} {folder.left_out:,} of {folder.tokens:,} tokens end a token file without "
            f"filling a sequence of {self._length:,}: tokenize it into fewer files to train on them."
            for name, folder in self._folders.items()
            if folder.left_out > NOTICEABLE * folder.tokens
        )

    def log(self) -> None:
        """Say of each source what there is to train on."""
        names = self._plan.sources()
        for name, folder in self._folders.items():
            LOGGER.info(
                "Source %s: %s tokens in %s windows of %d; %s tokens are in none",
                names[name].name, f"{folder.tokens:,}", f"{folder.windows:,}", self._length + 1, f"{folder.left_out:,}",
            )  # fmt: skip

    def tokens_by_source(self, steps: int) -> dict[str, int]:
        """How many tokens the first `steps` steps take from each source, by its name."""
        names = self._plan.sources()
        return {names[folder].name: count * self._length for folder, count in self._plan.consumed(steps).items()}

    def epochs(self, steps: int) -> dict[str, float]:
        """How often the first `steps` steps go through each source, by its name."""
        names, consumed = self._plan.sources(), self._plan.consumed(steps)
        return {names[name].name: round(consumed[name] / folder.windows, 4) for name, folder in self._folders.items()}


def _train(rank: LaunchedRank, spec: PretrainSpec, stage_input: StageInput, volume: Volume, data: Data) -> Result:
    from trainingrun_workers.pretrain.agreement import TIMEOUT, Agreement
    from trainingrun_workers.pretrain.loop import Loop
    from trainingrun_workers.pretrain.measuring import Meter
    from trainingrun_workers.pretrain.preflight.flight import fly
    from trainingrun_workers.pretrain.profiling import Profiling
    from trainingrun_workers.pretrain.saving import Saving
    from trainingrun_workers.pretrain.stragglers import Stragglers

    one = engine(spec)
    one.load(spec)
    one.join(spec.cpu, TIMEOUT)
    flight_recorder.listen(rank.folder, rank.rank)
    agreement, claim = Agreement(), Claim.of(stage_input, volume)
    nodes = agreement.of_all(node_name())
    if rank.local_rank == 0:
        name_nodes(rank.folder, nodes)
    fly(rank, spec, stage_input, volume, agreement)
    answer = answer_file(stage_input, volume)
    sign = WriteSign(rank.folder, rank.rank)
    saving = Saving(spec, claim, volume, agreement, answer, rank.local_rank == 0, sign)
    newest = saving.newest()
    step = newest[0] if newest else 0
    if newest:
        check_engine(str((read_marker(newest[1]) or {})["engine"]["name"]), spec.engine, step)
    rank.beat(step, Activity.LOADING)
    rank.report(now=True, step=step, activity="loading" if newest else "building", **saving.told())
    curve = Curve(claim, step) if rank.rank == 0 else None
    if step < spec.total_steps:
        trainer = one.trainer(spec, rank.folder, newest)
        rank.beat(step, Activity.STARTING)
        batches = one.batches(spec, trainer, data.windows)
        profiles = volume.path(stage_input.run_folder) / contract.PROFILE_FOLDER
        Loop(
            spec=spec, rank=rank, agreement=agreement, saving=saving, trainer=trainer,
            micro_batches=batches.of_step, marker=lambda at: _marker(spec, data, trainer.ranks(), at),
            curve=curve, log_every=_log_every(spec), meter=Meter(spec, agreement, trainer.model),
            stragglers=Stragglers(nodes), notes=data.notes(),
            profiling=Profiling(answer, stage_input.attempt, profiles, rank, agreement, spec.cpu),
        ).run()  # fmt: skip
    agreement.wait()
    if curve:
        curve.close()
    return Result(
        int(ExitCode.DONE), "Completed", f"Trained {spec.total_steps} steps.", spec.total_steps,
        _output(spec, data, saving.complete, curve),
    )  # fmt: skip


def _stands_in(spec: PretrainSpec) -> bool:
    # Only nanotron has parts that need a GPU; the torch engine computes the same on either.
    return spec.cpu and spec.engine == "nanotron"


def _log_every(spec: PretrainSpec) -> int:
    return max(int((spec.config.get("logging") or {}).get("iteration_step_info_interval") or 1), 1)


def _marker(spec: PretrainSpec, data: Data, ranks: dict[str, int], step: int) -> dict[str, Any]:
    tokens = step * spec.tokens_per_step
    return {
        "samples": tokens // spec.config["tokens"]["sequence_length"], "tokens": tokens,
        "tokensBySource": data.tokens_by_source(step), "ranks": ranks, "engine": engine(spec).identity(),
        "cpuStandIns": _stands_in(spec), "skips": skips_before(spec.skips, step),
    }  # fmt: skip


def _output(spec: PretrainSpec, data: Data, steps: tuple[int, ...], curve: Curve | None) -> dict[str, Any]:
    return {
        "steps": spec.total_steps,
        "loss": curve.last_loss if curve else None,
        "firstLoss": curve.first_loss if curve else None,
        "checkpoints": list(steps),
        "tokens": spec.total_steps * spec.tokens_per_step,
        "tokensBySource": data.tokens_by_source(spec.total_steps),
        "tokensLeftOut": data.left_out(),
        "epochs": data.epochs(spec.total_steps),
        "skippedSteps": sum(skip.steps for skip in spec.skips),
        "cpuStandIns": _stands_in(spec),
        "engine": engine(spec).identity(),
    }


if __name__ == "__main__":
    run_rank(main)
