"""One rank of an sft, dpo, cpt or prepare stage: `python -m trainingrun_workers.sft.rank`, under torchrun."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from trainingrun_workers import contract
from trainingrun_workers.claim import Claim
from trainingrun_workers.contract import ExitCode, Result, SftSpec, StageInput
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.launched import Activity, LaunchedRank, run_rank
from trainingrun_workers.offline import go_offline
from trainingrun_workers.sft import datasets, positions, preferences, settings
from trainingrun_workers.sft.checkpoints import Checkpoints
from trainingrun_workers.sft.failures import Phase, Progress
from trainingrun_workers.sft.prepared import Prepared
from trainingrun_workers.volume import Volume

if TYPE_CHECKING:
    from trainingrun_workers.sft.plugin import Session

_OF_TORCHRUN: Final = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT",
)  # fmt: skip
_COUNTS: Final = ("rows", "dropped", "overlong", "unlabelled", "trainedTokens")
_TOKENS: Final = ("total_num_tokens", "total_supervised_tokens")
_KILLED: Final = 128 + int(signal.SIGTERM)


def main(rank: LaunchedRank) -> Result:
    """Train, or go on training, to the last step; yields the stage's output."""
    stage_input = StageInput.from_json(Path(os.environ[contract.INPUT_VARIABLE]).read_text())
    volume = Volume(Path(os.environ[contract.VOLUME_VARIABLE]))
    spec: SftSpec = stage_input.spec  # type: ignore[assignment]
    rank.report(now=True, activity="loading Axolotl")
    rank.beat(0, Activity.LOADING)
    with _ends_at_once(rank) as saves_on_stop:
        _set_environment(rank, spec)
        prepares = stage_input.kind == "prepare"
        work = _Training(rank, spec, volume, Claim.of(stage_input, volume), prepares)
        return work.prepare() if prepares else work.run(saves_on_stop)


class _Training:
    """The stage's work with Axolotl, which is imported here and no earlier."""

    def __init__(self, rank: LaunchedRank, spec: SftSpec, volume: Volume, claim: Claim, prepares: bool) -> None:
        self._rank = rank
        self._prepares = prepares
        self._spec = spec
        self._volume = volume
        self._claim = claim
        self._folder = claim.folder
        self._checkpoints = Checkpoints(claim.folder / contract.CHECKPOINT_FOLDER)
        self._workspace = self._checkpoints.workspace(claim.name)
        self._prepared = Prepared(claim.folder, claim.name)
        self._progress = Progress()

    def run(self, saves_on_stop: Callable[[], None]) -> Result:
        """From the imports to the model in its place."""
        import torch

        if not self._spec.cpu and not torch.cuda.is_available():
            raise BadConfig(
                "GpuMissing",
                "The run asks for GPUs but none is visible in this pod: check the node's driver and the image.",
            )
        from trainingrun_workers.sft import plugin

        session = plugin.Session(
            self._rank, self._progress, self._checkpoints, self._workspace, self._claim, self._notes, saves_on_stop
        )
        plugin.begin(session)
        with self._progress.translated(self._checkpoints.newest), self._ready_data():
            return self._finish(*self._train(session), session)

    def _train(self, session: "Session") -> tuple[Any, Any]:
        """Axolotl's configuration as it ran and the trainer's last state."""
        from axolotl.train import save_trained_model, train
        from transformers import set_seed

        from trainingrun_workers.sft import plugin

        config, data = self._read()
        self._enter(Phase.BUILDING, "loading the model")
        set_seed(config.seed)
        try:
            train(cfg=config, dataset_meta=data)
        except plugin.AlreadyTrainedError:
            save_trained_model(config, session.trainer, session.trainer.model)
        return config, session.trainer.state

    def prepare(self) -> Result:
        """Only check, tokenize and pack the data, for a gang that trains on them later; no GPU is needed."""
        with self._progress.translated(lambda: None), self._ready_data():
            self._read()
        counts = self._prepared.counts()
        output = {"rows": counts.rows, **self._dropped(), "cpu": self._spec.cpu}
        self._rank.report(now=True, step=1, total=1, counts=output, notes=self._notes(), activity="done")
        kept = f"{counts.kept} of {counts.rows} {self._rows} are ready to be trained on."
        return Result(int(ExitCode.DONE), "Completed", kept, None, output)

    def _read(self) -> tuple[Any, Any]:
        """Axolotl's configuration, and the data, which lie prepared on the volume afterwards."""
        from axolotl.cli.args import TrainerCliArgs
        from axolotl.cli.config import load_cfg
        from axolotl.common.datasets import load_datasets, load_preference_datasets
        from axolotl.utils.dict import DictDefault
        from transformers import set_seed

        from trainingrun_workers.sft import packing, preparing

        newest = self._checkpoints.newest()
        resume = self._checkpoints.path(newest) if newest else None
        plain = settings.axolotl_config(self._spec, self._volume, self._workspace, self._prepared.folder, resume)
        if self._prepares:
            plain = settings.without_gpus(plain)
        config = load_cfg(DictDefault(plain))
        settings.restore_data_sets(config, plain)
        config.update(self._prepared.tokens())
        if self._prepares:  # the batches of the gang, and not of what stands for its attention here
            config.attn_supports_packing = packing.packs_whole_batches(self._spec.config.get("attn_implementation"))
        self._enter(Phase.READING, "preparing the data")
        set_seed(config.seed)  # packing draws from it, so the number of steps depends on it
        load = load_preference_datasets if config.rl else load_datasets
        with preparing.watched(bool(config.rl)) as counts:
            data = load(cfg=config, cli_args=TrainerCliArgs())
        if counts:
            if self._prepares and not config.rl:
                packing.pack_epochs(config, data, self._packing)
            self._claim.check()
            tokens = {name: config[name] for name in _TOKENS if config[name]}
            self._prepared.finish(counts[0], datasets.files(self._spec.config, self._volume), tokens)
        return config, data

    def _ready_data(self) -> AbstractContextManager[None]:
        """Within it Axolotl takes what lies ready, and packs or tokenizes only what does not."""
        from trainingrun_workers.sft import packing, pair_tokens
        from trainingrun_workers.sft.packings import Packings

        if preferences.is_preferences(self._spec.config):
            return pair_tokens.taken_as_they_are()
        kept = Packings(self._prepared.packings, keeps=self._prepares)
        return packing.packed_once(settings.seed(self._spec.config), kept)

    def _packing(self, epoch: int, epochs: int) -> None:
        self._claim.check()
        self._rank.beat(0, Activity.LOADING)
        self._rank.report(now=True, activity=f"packing epoch {epoch} of {epochs}")

    @property
    def _rows(self) -> str:
        """What the rows of the data are called in messages."""
        if self._spec.continues:
            return "pieces of text"
        return "pairs of answers" if preferences.is_preferences(self._spec.config) else "conversations"

    def _dropped(self) -> dict[str, int]:
        counts = self._prepared.counts()
        return {"dropped": counts.dropped, "overlong": counts.overlong, "unlabelled": counts.unlabelled}

    def _enter(self, phase: Phase, activity: str) -> None:
        self._progress.phase = phase
        self._rank.beat(0, Activity.LOADING)
        self._rank.report(now=True, activity=activity)

    def _notes(self) -> tuple[str, ...]:
        length = self._spec.config.get("sequence_len", 512)
        counted = self._prepared.counts().notes(length, self._rows, self._spec.continues)
        return (*self._longer(), *counted)

    def _longer(self) -> tuple[str, ...]:
        if not self._spec.continues:
            return ()
        return positions.notes(self._spec.config, self._volume.path(self._spec.base))

    def _finish(self, config: Any, state: Any, session: "Session") -> Result:
        from trainingrun_workers.sft import ending, publishing

        ending.check_reached(state, bool(config.early_stopping_patience))
        message = f"Trained {state.global_step} steps."
        if session.record is None:
            return Result(int(ExitCode.DONE), "Completed", message, state.global_step)
        session.record.curve.close()
        output = ending.output(state, session.record, self._prepared.counts(), self._spec)
        self._claim.check()
        publishing.publish(self._workspace, self._folder, {"steps": state.global_step})
        self._prepared.remove()
        shutil.rmtree(self._workspace, ignore_errors=True)
        counts = {name: output[name] for name in _COUNTS if name in output}
        self._rank.report(now=True, step=state.global_step, eta_seconds=0.0, counts=counts, activity="done")
        return Result(int(ExitCode.DONE), "Completed", message, state.global_step, output)


def _set_environment(rank: LaunchedRank, spec: SftSpec) -> None:
    go_offline()
    if settings.needs_network(spec.config):
        os.environ.update(HF_HUB_OFFLINE="0", HF_DATASETS_OFFLINE="0", TRANSFORMERS_OFFLINE="0")
    if rank.world_size == 1:
        # As a process on its own: what Axolotl does for several needs a GPU.
        for name in _OF_TORCHRUN:
            os.environ.pop(name, None)


@contextmanager
def _ends_at_once(rank: LaunchedRank) -> Iterator[Callable[[], None]]:
    """SIGTERM ends the process, with its result, until the yielded function is called: there is nothing to save."""
    saving, own = signal.getsignal(signal.SIGTERM), os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:  # a process that tokenizes, and inherits this
            os._exit(_KILLED)
        message = "The pod was told to stop before training had begun; it begins again."
        rank.leave(Result(int(ExitCode.PREEMPTED), "Preempted", message))
        os._exit(0)

    def saves_on_stop() -> None:
        signal.signal(signal.SIGTERM, saving)
        signal.signal(signal.SIGINT, saving)  # Axolotl's would end a half-trained run with 0

    signal.signal(signal.SIGTERM, end)
    if rank.stop_requested:
        end(signal.SIGTERM, None)
    yield saves_on_stop


if __name__ == "__main__":
    run_rank(main)
