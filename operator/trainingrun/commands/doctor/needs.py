"""What a run needs of a cluster, read off the objects that it would be given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainingrun.api.base import quantity
from trainingrun.api.training import Gang
from trainingrun.plan.preview import first_attempts
from trainingrun.stages.context import Context


@dataclass(frozen=True)
class Pods:
    """The pods of one stage."""

    stage: str
    kind: str  # Job or PyTorchJob
    count: int
    requests: Mapping[str, float]  # by resource; a limit counts where no request stands
    limits: Mapping[str, float]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]

    @property
    def is_gang(self) -> bool:
        """Whether they train together, so that all of them need room at once."""
        return self.kind == "PyTorchJob"


@dataclass(frozen=True)
class Needs:
    """What a run needs."""

    name: str
    pods: tuple[Pods, ...]
    claim: str | None  # an existing one
    new_claim: Mapping[str, Any] | None  # spec of the one to make
    secrets: tuple[str, ...]
    scheduler: str | None
    queue: str | None
    rdma: tuple[str, ...]  # stages whose network profile is another than tcp, and that name no device
    devices: tuple[str, ...]  # device-plugin resources besides GPUs
    engine: str | None = None  # entry of images.custom, of a run with an engine of its own

    @property
    def shared(self) -> bool:
        """Whether several pods have the volume at once."""
        return any(one.count > 1 for one in self.pods) or len(self.pods) > 1


def needs(context: Context) -> Needs:
    """The needs of a run that passes its checks."""
    spec = context.run.spec
    objects = first_attempts(context)
    claims = [one["spec"] for one in objects if one["kind"] == "PersistentVolumeClaim"]
    gangs: dict[str, Gang] = {"pretrain": spec.pretrain}
    for variant in spec.variants:
        gangs |= {f"{stage.kinds[0]}-{variant.name}": stage.tuning for stage in variant.stages}
    return Needs(
        name=context.run.metadata.name,
        pods=tuple(one for made in objects for one in _pods(made)),
        claim=spec.storage.claim_name,
        new_claim=claims[0] if claims else None,
        secrets=tuple(dict.fromkeys(_secrets(objects))),
        scheduler=spec.scheduling.scheduler_name,
        queue=spec.scheduling.queue_name,
        rdma=tuple(name for name, one in gangs.items() if one.network.profile != "tcp" and not one.network.resources),
        devices=tuple(dict.fromkeys(device for one in gangs.values() for device in one.network.resources)),
        engine=spec.pretrain.custom.image if spec.pretrain.custom is not None else None,
    )


def _pods(made: Mapping[str, Any]) -> Iterator[Pods]:
    if made["kind"] == "Job":
        count, template = int(made["spec"].get("parallelism", 1)), made["spec"]["template"]
    elif made["kind"] == "PyTorchJob":
        replicas = made["spec"]["pytorchReplicaSpecs"]
        count = sum(int(one["replicas"]) for one in replicas.values())
        template = replicas["Master"]["template"]
    else:
        return
    pod = template["spec"]
    resources = pod["containers"][0].get("resources") or {}
    limits = _numbers(resources.get("limits"))
    yield Pods(
        stage=template["metadata"]["labels"]["trainingrun.dev/stage"],
        kind=made["kind"],
        count=count,
        requests={**limits, **_numbers(resources.get("requests"))},
        limits=limits,
        node_selector=pod.get("nodeSelector") or {},
        tolerations=tuple(pod.get("tolerations") or ()),
    )


def _numbers(given: Mapping[str, str] | None) -> dict[str, float]:
    return {name: quantity(str(value)) for name, value in (given or {}).items()}


def _secrets(objects: list[dict[str, Any]]) -> Iterator[str]:
    for made in objects:
        for template in _templates(made):
            for container in template["spec"]["containers"]:
                yield from (one["secretRef"]["name"] for one in container.get("envFrom") or ())


def _templates(made: Mapping[str, Any]) -> list[Any]:
    if made["kind"] == "Job":
        return [made["spec"]["template"]]
    return (
        [one["template"] for one in made["spec"]["pytorchReplicaSpecs"].values()]
        if made["kind"] == "PyTorchJob"
        else []
    )
