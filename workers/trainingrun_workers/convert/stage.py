"""Runs a convert stage's pod: each step of the batch becomes `<folder>/step-00000300`, with its marker, or none does.

The marker's content: {"step", "checkpoint", "dtype", "parameters", "maxLogitDifference", "maxLogitDifferenceFloat32",
"argmaxAgreement", "largestLogit", "probeTokens", "tolerance", "cpuStandIns"}; differences are null where a custom
engine left nothing to compare with.
"""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import CHECKPOINT_FOLDER, ConvertSpec, ExitCode, Result, StageInput, checkpoint_name
from trainingrun_workers.convert import exported
from trainingrun_workers.convert.fidelity import compare, probe_tokens
from trainingrun_workers.convert.folder import write_model
from trainingrun_workers.convert.model_config import llama_config, read_config
from trainingrun_workers.convert.origins import Logits, Origin, origin
from trainingrun_workers.errors import BadData, Retry, VolumeFull
from trainingrun_workers.models import load_tokenizer
from trainingrun_workers.pretrain.checkpoints import Checkpoints, sizes
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, make_folder, mark_complete, read_marker, sync_folder

LOGGER: Final = logging.getLogger(__name__)
_REPORTED: Final = ("maxLogitDifference", "argmaxAgreement", "parameters")


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Convert the batch's steps, oldest first; those that have their marker are left alone."""
    spec: ConvertSpec = stage_input.spec  # type: ignore[assignment]
    os.environ.setdefault("TQDM_MININTERVAL", "60")  # the engines' bars would fill the log
    reporter.update(unit="models", total=len(spec.steps), activity="loading")
    converter = Converter(spec, volume, make_folder(volume.path(stage_input.folder)))
    done: dict[int, dict[str, Any]] = {}
    for step in sorted(spec.steps):
        reporter.update(activity=f"converting {checkpoint_name(step)}")
        done[step] = read_marker(converter.target(step)) or converter.convert(step)
        reporter.update(step=len(done), checkpoints=tuple(done), checkpoint=step)
    reporter.update(activity="done")
    models = {checkpoint_name(step): {key: one.get(key) for key in _REPORTED} for step, one in done.items()}
    message = f"{len(done)} checkpoints are converted and agree with their engine's logits."
    return Result(int(ExitCode.DONE), "Completed", message, max(done, default=None), {"models": models})


@dataclass
class Converter:
    """Converts steps of one pretrain stage; the engine is loaded with the first."""

    spec: ConvertSpec
    volume: Volume
    folder: Path
    _reference: Logits | None = None

    def target(self, step: int) -> Path:
        """Where a step's model goes."""
        return self.folder / checkpoint_name(step)

    def convert(self, step: int) -> dict[str, Any]:
        """Make a step's model; yields its marker. Nothing is left behind where that fails."""
        checkpoint, made = self._checkpoint(step)
        if self._reference is None:
            load_tokenizer(self.volume.path(self.spec.tokenizer))  # says so before any work if there is none
        unfinished = self.folder / f".unfinished-{checkpoint_name(step)}"
        shutil.rmtree(unfinished, ignore_errors=True)
        make_folder(unfinished)
        try:
            marker = {"step": step, **self._write_and_compare(checkpoint, made, unfinished)}
            mark_complete(unfinished, marker)
            shutil.rmtree(self.target(step), ignore_errors=True)  # without a marker, or it would have been left alone
            unfinished.rename(self.target(step))
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        sync_folder(self.folder)
        return marker

    def _checkpoint(self, step: int) -> tuple[Path, Origin | None]:
        """A checkpoint's folder and origin; no origin where the checkpoint holds the model as it is to be."""
        checkpoints = Checkpoints(self.volume.path(self.spec.pretrain) / CHECKPOINT_FOLDER)
        path, marker = checkpoints.path(step), checkpoints.marker(step)
        if not marker:
            raise Retry(
                "CheckpointMissing",
                f"There is no complete checkpoint of step {step} at {path}: it was removed or is being written again.",
            )
        found = sizes(path)
        torn = [name for name, size in marker.get("files", {}).items() if found.get(name) != size]
        if torn:
            raise BadData(
                "CheckpointTorn",
                f"The checkpoint of step {step} lacks {torn[0]} or has another size of it: remove {path}, so that "
                "pretraining makes it again.",
            )
        return path, None if exported.is_exported(path) else origin(marker, path)

    def _check_room(self, name: str, needed: int) -> None:
        free = self.volume.free_bytes()
        if needed > free:
            raise VolumeFull(
                f"The model of {name} takes {needed:,} bytes but {free:,} are free: make room on the claim "
                "or use a larger one, then it goes on by itself."
            )

    def _write_and_compare(self, checkpoint: Path, made: Origin | None, into: Path) -> dict[str, Any]:
        where = {"checkpoint": str(checkpoint.relative_to(self.volume.root))}
        tokenizer = self.volume.path(self.spec.tokenizer)
        if made is None:
            self._check_room(checkpoint.name, exported.size(checkpoint))
            tolerance, probe = self.spec.tolerance, self.spec.probe_tokens
            return where | exported.write_exported(checkpoint, into, tokenizer, tolerance, probe)
        return where | self._translated(checkpoint, made, into, tokenizer)

    def _translated(self, checkpoint: Path, made: Origin, into: Path, tokenizer: Path) -> dict[str, Any]:
        raw = read_config(checkpoint)
        weights = made.weights(checkpoint, raw)
        dtype = weights["model.embed_tokens.weight"].dtype
        self._check_room(checkpoint.name, sum(one.numel() * one.element_size() for one in weights.values()))
        name = str(dtype).removeprefix("torch.")
        parameters = write_model(into, llama_config(raw, name), weights, tokenizer)
        if self._reference is None:
            self._reference = made.reference(raw, dtype)
        self._reference.load(checkpoint)
        probe = probe_tokens(raw["vocab_size"], min(self.spec.probe_tokens, raw["max_position_embeddings"]))
        fidelity = compare(self._reference, into, dtype, probe, self.spec.tolerance)
        LOGGER.info("%s: %s", checkpoint.name, fidelity)
        fidelity.check(checkpoint.name)
        own = {"dtype": name, "parameters": parameters, "cpuStandIns": self._reference.stands_in}
        return own | fidelity.figures()
