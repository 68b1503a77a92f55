"""Where each stage's output lies on the volume: folders named by a hash of all that goes into them.

Runs that agree on a stage's inputs share its folder, and a finished folder is used again. The engine's name and
version are inputs; its image is not, so that upgrading the operator in the middle of a run throws nothing away.
"""

from dataclasses import dataclass
from typing import Any, Final

from trainingrun.api.data import DataSource
from trainingrun.api.training_run import TrainingRun
from trainingrun.manifests.meta import digest
from trainingrun.stages.instances import Instance, instances, prepared_for
from trainingrun.stages.translated import Translated, volume_path

TOKEN_FORMAT: Final = "datatrove-2"  # 1: cut at whole files; 2: cut at row groups
ENGINES: Final = {
    "pretrain": "nanotron-0.4",
    "convert": "llama-1",
    "evaluate": "lm-eval-0.4.13",
    "sft": "axolotl-0.19.0",
    "dpo": "axolotl-0.19.0",
}


@dataclass(frozen=True)
class Place:
    """A stage's folder on the volume and the hash of its inputs that names it."""

    folder: str
    inputs: str


def run_folder(run: TrainingRun) -> str:
    """Where a run's snapshots, results and stacks lie; a run made again under the same name has another."""
    return f"runs/{run.metadata.namespace}/{run.metadata.name}-{run.metadata.uid[:8] or 'plan'}"


def token_folders(run: TrainingRun, translated: Translated) -> dict[str, str]:
    """The folder of each source's tokens, by the source's name."""
    shared = {
        "format": TOKEN_FORMAT,
        "tokenizer": volume_path(run.spec.tokenizer.path),
        "bytes": translated.pretrain.token_bytes,
        "shards": run.spec.tokenize.shards,
    }
    return {source.name: "artifacts/tokens/" + digest(shared | _read_from(source)) for source in run.spec.data}


def _read_from(source: DataSource) -> dict[str, Any]:
    score = source.language_score
    return {
        "path": volume_path(source.path),
        "glob": source.glob,
        "key": source.text_key,
        "limit": source.limit,
        "score": [score.key, score.min] if score is not None else None,
    }


def places(run: TrainingRun, translated: Translated) -> dict[str, Place]:
    """The place of every stage of the run, by the stage's name."""
    found: dict[str, Place] = {}
    for instance in instances(run.spec):
        inputs = digest(_INPUTS[instance.kind](run, translated, instance, found))
        found[instance.name] = Place(f"artifacts/{instance.kind}/{inputs}", inputs)
    return found


def _tokenize(run: TrainingRun, translated: Translated, _: Instance, __: dict[str, Place]) -> Any:
    return sorted(token_folders(run, translated).items())


def _pretrain(run: TrainingRun, translated: Translated, _: Instance, __: dict[str, Place]) -> Any:
    pretrain = translated.pretrain
    folders = token_folders(run, translated)
    data = [
        (stage.start_step, stage.seed, [(folders[name], weight) for name, weight in stage.sources])
        for stage in pretrain.data_stages
    ]
    config = {key: value for key, value in pretrain.config.items() if key not in _KNOBS}
    config["seed"] = pretrain.seed
    # The number of ranks is part of the inputs: the data order and the sums of gradients depend on it.
    return {"engine": ENGINES["pretrain"], "config": config, "data": data, "nodes": run.spec.pretrain.nodes}


# Parts of nanotron's configuration that change nothing about the weights.
_KNOBS: Final = frozenset({"checkpoints", "logging", "general", "profiler"})


def _convert(run: TrainingRun, _: Translated, __: Instance, found: dict[str, Place]) -> Any:
    return {
        "engine": ENGINES["convert"],
        "pretrain": found["pretrain"].inputs,
        "tokenizer": volume_path(run.spec.tokenizer.path),
    }


def _evaluate(run: TrainingRun, _: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    evaluate = run.spec.evaluate
    if evaluate is None:
        return None
    source = "convert" if instance.variant is None else instance.needs[0]
    return {
        "engine": ENGINES["evaluate"],
        "models": found[source].inputs,
        "tasks": [task.model_dump() for task in evaluate.tasks],
        "folder": evaluate.task_folder,
        "seed": evaluate.seed,
    }


def _tuning(_: TrainingRun, translated: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    config = translated.tuning[instance.name].config
    return {"engine": ENGINES[instance.kind], "base": found[instance.needs[0]].inputs, "config": config}


def _prepare(run: TrainingRun, translated: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    gang = prepared_for(instance, instances(run.spec))
    return _tuning(run, translated, gang, found)


def _release(run: TrainingRun, _: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    return {
        "name": model_name(run, instance),
        "needs": [found[name].inputs for name in instance.needs],
        "release": run.spec.release.model_dump(include={"license", "languages", "prompts"}),
    }


def model_name(run: TrainingRun, instance: Instance) -> str:
    """The released model's name: the run's, with the variant's behind it."""
    return run.metadata.name if instance.variant is None else f"{run.metadata.name}-{instance.variant}"


_INPUTS: Final = {
    "tokenize": _tokenize,
    "pretrain": _pretrain,
    "convert": _convert,
    "evaluate": _evaluate,
    "sft": _tuning,
    "dpo": _tuning,
    "prepare": _prepare,
    "release": _release,
}
