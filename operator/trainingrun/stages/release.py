"""The release stages: Jobs that make the published folder of the base model and of each variant."""

from dataclasses import asdict
from typing import Any

import trainingrun
from trainingrun.api import names
from trainingrun.api.data import DataSource
from trainingrun.api.results import Push
from trainingrun.api.yaml_text import dumped
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance, chain, instance_name
from trainingrun.stages.layout import ENGINES, model_name, own_base, token_folders
from trainingrun.stages.translated import volume_path
from trainingrun.stages.tuning import tuning
from trainingrun_workers.contract import ReleaseSpec, checkpoint_name


def need(context: Context, instance: Instance, _: tuple[int, ...]) -> Need:
    """The model's folder, its scores, and everything the card says about how it was made."""
    run = context.run.spec
    last = checkpoint_name(context.translated.pretrain.total_steps)
    variant = instance.variant
    if variant is None:
        model, evaluated_as, base = f"{context.places['convert'].folder}/{last}", last, None
    else:
        model = f"{context.places[instance.needs[0]].folder}/model"
        evaluated_as = model_name(context.run, instance)
        base = run.release.push.repository if run.release.push else context.run.metadata.name  # where readers find it
    path = own_base(context.run, variant)
    evaluate = instance_name("evaluate", variant)
    spec = ReleaseSpec(
        model=model,
        evaluation=context.places[evaluate].folder if run.evaluate else None,
        evaluated_as=evaluated_as if run.evaluate else None,
        name=model_name(context.run, instance),
        base_name=base if path is None else None,
        base_path=path,
        licence=run.release.license,
        languages=tuple(run.release.languages),
        chat=any(one.kind != "cpt" for one in chain(variant or "", context.instances)),
        prompts=tuple(run.release.prompts),
        provenance=_provenance(context, variant),
        cpu=_on_cpu(context, variant),
        limitations=run.release.limitations,
        citation=run.release.citation,
        gguf=tuple(dict.fromkeys(run.release.gguf)),
        push=_push(run.release.push, variant),
        manifest=applied(context),
    )
    push = run.release.push
    return Need(spec=spec, placement=run.release, secrets=() if push is None else (push.secret_name,))


def _on_cpu(context: Context, variant: str | None) -> bool:
    """Whether the model was trained without a GPU, as far as the run has trained it from the beginning."""
    if own_base(context.run, variant) is None:
        return context.run.spec.pretrain.gpus_per_node == 0
    return tuning(context, chain(variant or "", context.instances)[0]).gpus_per_node == 0


def _push(push: Push | None, variant: str | None) -> dict[str, Any] | None:
    """The repository of a model: the base model's as it is written, a variant's with its name behind it."""
    if push is None:
        return None
    return {"repository": push.repository + (f"-{variant}" if variant else ""), "private": push.private}


def applied(context: Context) -> str:
    """The run's manifest as YAML: what was applied, nothing that was filled in; Secrets stand in it by name."""
    run = context.run
    return dumped(
        {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": run.metadata.name},
            "spec": run.spec.model_dump(by_alias=True, exclude_unset=True),
        }
    )


def _provenance(context: Context, variant: str | None) -> dict[str, Any]:
    """What the card prints of how the model was made; folders carry the figures that their stages measured."""
    run, translated = context.run.spec, context.translated
    made: dict[str, Any] = {
        "trainingrun": trainingrun.__version__,
        "images": dict(sorted(_images(context).items())),
    }
    path = own_base(context.run, variant)
    made |= _pretraining(context) if path is None else {"base": {"path": path}}
    if run.evaluate is not None and run.evaluate.task_folder:
        made["evaluate"] = {"taskFolder": run.evaluate.task_folder}
    spent = context.run.status.gpu_hours
    if spent.useful or spent.lost:
        made["gpuHours"] = {"useful": spent.useful, "lost": dict(sorted(spent.lost.items()))}
    if variant is not None:
        made["stages"] = [
            {
                "name": one.name,
                "engine": ENGINES[one.kind],
                "folder": context.places[one.name].folder,
                "config": translated.tuning[one.name].config,
            }
            for one in chain(variant, context.instances)
        ]
    return made


def _images(context: Context) -> dict[str, str]:
    custom, settings = context.run.spec.pretrain.custom, context.settings
    return settings.images | ({"pretrain": settings.custom_image(custom.image)} if custom is not None else {})


def _pretraining(context: Context) -> dict[str, Any]:
    """How this run's base model was made."""
    run, translated = context.run.spec, context.translated
    folders = token_folders(context.run, translated)
    made: dict[str, Any] = {
        "tokenizer": volume_path(run.tokenizer.path),
        "data": [_source(one, folders[one.name]) for one in run.data],
        "pretrain": {
            "engine": run.pretrain.engine,
            "folder": context.places["pretrain"].folder,
            "nodes": run.pretrain.nodes,
            "gpusPerNode": run.pretrain.gpus_per_node,
            "steps": translated.pretrain.total_steps,
            "sequenceLength": translated.pretrain.sequence_length,
            "tokensPerStep": translated.pretrain.tokens_per_step,
            "parameters": translated.pretrain.parameters or None,  # of a custom engine it is not known
            "seed": translated.pretrain.seed,
            "config": translated.pretrain.config,
        },
    }
    if context.skips:
        made["pretrain"]["skipped"] = [asdict(one) for one in context.skips]
    return made


def _source(source: DataSource, folder: str) -> dict[str, Any]:
    told = {"language": source.language, "license": source.license}
    return {
        "name": source.name,
        "path": source.path,
        "weight": source.weight,
        **{key: value for key, value in told.items() if value},
        "folder": folder,
    }
