"""BUILDERS: from a stage of a run to the objects of one attempt."""

from collections.abc import Callable
from typing import Final

from trainingrun.api import names
from trainingrun.manifests.configmap import configmap
from trainingrun.manifests.job import job
from trainingrun.manifests.meta import Manifest
from trainingrun.manifests.pod import WORKER_CONTAINER, PodPlan, pod_template
from trainingrun.manifests.pytorchjob import pytorchjob
from trainingrun.stages import (
    compare,
    convert,
    evaluate,
    judge,
    prepare,
    pretrain,
    release,
    report,
    tokenization,
    tuning,
)  # fmt: skip
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import run_folder
from trainingrun_workers.contract import RunReference, StageInput

Builder = Callable[[Context, Instance, tuple[int, ...]], Need]

BUILDERS: Final[dict[str, Builder]] = {
    "tokenize": tokenization.need,
    "pretrain": pretrain.need,
    "convert": convert.need,
    "evaluate": evaluate.need,
    "sft": tuning.need,
    "dpo": tuning.need,
    "cpt": tuning.need,
    "prepare": prepare.need,
    "release": release.need,
    "judge": judge.need,
    "compare": compare.need,
    "report": report.need,
}


def objects(context: Context, instance: Instance, attempt: int, batch: tuple[int, ...] = ()) -> tuple[Manifest, ...]:
    """The ConfigMap and the Job or PyTorchJob of an attempt, in the order in which they are applied."""
    need = BUILDERS[instance.kind](context, instance, batch)
    child = context.child(instance.name, attempt)
    template = pod_template(_pod_plan(context, instance, attempt, need), context.pod_defaults)
    document = configmap(child, stage_input(context, instance, attempt, need).to_json())
    queue = context.run.spec.scheduling.queue_name
    if instance.is_gang:
        return document, pytorchjob(child, template, need.pods, max(need.gpus, 1), queue)
    return document, job(child, template, need.pods, queue)


def stage_input(context: Context, instance: Instance, attempt: int, need: Need) -> StageInput:
    """The document that the attempt's pods find."""
    run, settings = context.run.metadata, context.settings
    return StageInput(
        run=RunReference(run.namespace, run.name, run.uid),
        stage=instance.name,
        kind=instance.kind,
        attempt=attempt,
        folder=context.places[instance.name].folder,
        run_folder=run_folder(context.run),
        report_url=settings.report_url + names.REPORT_PATH if settings.report_url else None,
        report_seconds=settings.report_seconds,
        grace_seconds=need.grace_seconds,
        spec=need.spec,
    )


def _image(context: Context, instance: Instance, need: Need) -> str:
    settings = context.settings
    return settings.image(instance.kind) if need.custom is None else settings.custom_image(need.custom.image)


def _pod_plan(context: Context, instance: Instance, attempt: int, need: Need) -> PodPlan:
    return PodPlan(
        child=context.child(instance.name, attempt),
        kind=instance.kind,
        image=_image(context, instance, need),
        claim=context.claim,
        placement=need.placement,
        command=tuple(need.custom.command) if need.custom is not None else (),
        args=tuple(need.custom.args) if need.custom is not None else None,
        container=names.PYTORCH_CONTAINER if instance.is_gang else WORKER_CONTAINER,
        gpus=need.gpus,
        gpu_resource=need.gpu_resource,
        devices=need.devices or {},
        environment=need.environment or {},
        secrets=need.secrets,
        grace_seconds=need.grace_seconds,
        shm_size=context.settings.shm_size,
        avoided_nodes=tuple(context.run.status.avoided_nodes) if instance.is_gang else (),
        scheduler_name=context.run.spec.scheduling.scheduler_name if instance.is_gang else None,
    )
