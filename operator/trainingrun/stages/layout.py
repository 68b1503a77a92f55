"""Where each stage's output lies on the volume: folders named by a hash of all that goes into them.

Runs that agree on a stage's inputs share its folder, and a finished folder is used again. The engine's name and
version are inputs; its image is not, so that upgrading the operator in the middle of a run throws nothing away.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from trainingrun.api.data import DataSource
from trainingrun.api.training_run import TrainingRun
from trainingrun.manifests.meta import digest
from trainingrun.stages.instances import Instance, instances, maker, prepared_for, starts_from
from trainingrun.stages.translated import Translated, volume_path

TOKEN_FORMAT: Final = "datatrove-2"  # 1: cut at whole files; 2: cut at row groups
REPORT_FORMAT: Final = 1
PRETRAIN_ENGINES: Final = {"nanotron": "nanotron-0.4", "torch": "torch-1"}
ENGINES: Final = {
    "convert": "llama-1",
    "evaluate": "lm-eval-0.4.13",
    "sft": "axolotl-0.19.0",
    "judge": "pairs-1",
    "dpo": "axolotl-0.19.0",
    "cpt": "axolotl-0.19.0",
}


def engine(run: TrainingRun, kind: str) -> str:
    """The engine of a kind of stage and its version, as it goes into the names of folders."""
    if kind != "pretrain":
        return ENGINES[kind]
    pretrain = run.spec.pretrain
    return (
        f"custom-{pretrain.custom.image}" if pretrain.custom is not None else PRETRAIN_ENGINES.get(pretrain.engine, "")
    )


@dataclass(frozen=True)
class Place:
    """A stage's folder on the volume and the hash of its inputs that names it."""

    folder: str
    inputs: str
    tokens: dict[str, str] = field(default_factory=dict)  # of a tokenize stage: each source's folder, by its name


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
        tokens = token_folders(run, translated) if instance.kind == "tokenize" else {}
        shared = _SHARED.get(instance.kind)
        name = digest(shared(run)) if shared is not None else inputs
        found[instance.name] = Place(f"artifacts/{instance.kind}/{name}", inputs, tokens)
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
    if run.spec.pretrain.custom is not None:  # whose configuration has no sections that are known to change nothing
        own = run.spec.pretrain.custom.model_dump(exclude={"image", "env"})
        config = {"config": pretrain.config, "custom": own}
    config["seed"] = pretrain.seed
    made = {"engine": engine(run, "pretrain"), "config": config, "data": data}
    # nanotron's data order depends on the number of ranks; for the torch engine a step is the same for any number.
    return made if run.spec.pretrain.engine == "torch" else {**made, "nodes": run.spec.pretrain.nodes}


# Parts of nanotron's configuration that change nothing about the weights.
_KNOBS: Final = frozenset({"checkpoints", "logging", "general", "profiler"})


def _convert(run: TrainingRun, _: Translated, __: Instance, found: dict[str, Place]) -> Any:
    return {
        "engine": ENGINES["convert"],
        "pretrain": found["pretrain"].inputs,
        "tokenizer": volume_path(run.spec.tokenizer.path),
    }


def _evaluate(run: TrainingRun, _: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    if run.spec.evaluate is None:
        return None
    source = "convert" if instance.variant is None else instance.needs[0]
    return _questions(run) | {"models": found[source].inputs}


def _questions(run: TrainingRun) -> dict[str, Any]:
    """What scores depend on besides the model."""
    evaluate = run.spec.evaluate
    if evaluate is None:
        return {}
    inputs = {
        "engine": ENGINES["evaluate"],
        "tasks": [task.model_dump() for task in evaluate.asked()],
        "folder": evaluate.task_folder,
        "seed": evaluate.seed,
    }
    # Only where it is given, so that evaluations from before there was such a folder keep theirs.
    return inputs | ({"datasets": evaluate.dataset_folder} if evaluate.dataset_folder else {})


def _compare(run: TrainingRun, _: Translated, __: Instance, ___: dict[str, Place]) -> Any:
    models = run.spec.evaluate.compare_with if run.spec.evaluate is not None else []
    return _questions(run) | {"models": sorted({volume_path(one.path) for one in models})}


def compared_name(path: str) -> str:
    """The name under which a comparison model's scores lie in the folder of all models that were asked the same."""
    return digest(volume_path(path))


def _report(run: TrainingRun, _: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    models = run.spec.evaluate.compare_with if run.spec.evaluate is not None else []
    return {
        "format": REPORT_FORMAT,
        "name": run.metadata.name,
        "needs": [(name, found[name].inputs) for name in instance.needs],
        "compared": [(one.name, volume_path(one.path)) for one in models],
    }


def _tuning(run: TrainingRun, translated: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    config, before = translated.tuning[instance.name].config, starts_from(instance)
    base = found[before].inputs if before is not None else {"path": own_base(run, instance.variant)}
    return {"engine": ENGINES[instance.kind], "base": base, "config": config}


def own_base(run: TrainingRun, variant: str | None) -> str | None:
    """The folder of the model that a variant starts from in place of the run's base model, if it has one."""
    named = next((one for one in run.spec.variants if one.name == variant), None)
    return volume_path(named.base.path) if named is not None and named.base is not None else None


def _prepare(run: TrainingRun, translated: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    gang = prepared_for(instance, instances(run.spec))
    return _tuning(run, translated, gang, found)


def _release(run: TrainingRun, _: Translated, instance: Instance, found: dict[str, Place]) -> Any:
    release = run.spec.release
    inputs = {
        "name": model_name(run, instance),
        "needs": [found[name].inputs for name in instance.needs],
        "release": release.model_dump(include={"license", "languages", "prompts"}),
    }
    # Only where they are set, so that runs from before they were known keep their folders.
    later = {key: value for key, value in release.model_dump(include=_RELEASED_LATER).items() if value}
    later |= {"push": release.push.repository} if release.push else {}
    told = [(one.name, one.language, one.license) for one in run.spec.data if one.language or one.license]
    return inputs | ({"later": later} if later else {}) | ({"data": told} if told else {})


_RELEASED_LATER: Final = {"limitations", "citation", "gguf"}


def _judge(run: TrainingRun, _: Translated, __: Instance, found: dict[str, Place]) -> Any:
    judge = run.spec.judge
    if judge is None:
        return None
    makers = {one.name: maker(instances(run.spec), one.name) for one in judge.between if one.path is None}
    made = {name: found[one.name].inputs for name, one in makers.items() if one is not None}
    return {
        "engine": ENGINES["judge"],
        "models": [(one.name, made.get(one.name) or volume_path(one.path or "")) for one in judge.between],
        "asked": judge.model_dump(include={"secret_name", "prompts", "max_tokens", "verdict_tokens", "rubric"}),
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
    "cpt": _tuning,
    "prepare": _prepare,
    "release": _release,
    "judge": _judge,
    "compare": _compare,
    "report": _report,
}

# Kinds whose folder is shared by runs with other inputs, since each file in it is named by what it depends on.
_SHARED: Final = {"compare": _questions}
