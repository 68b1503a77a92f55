"""How long a run's first writes take where nobody watches and decides: what the API server and the machine ask for."""

import asyncio
import time

import uvloop
from kubernetes.aio import client, config

from builders import SETTINGS, a_claim
from control_plane.api import PATHS, Api, Object
from trainingrun.api.training_run import TrainingRun
from trainingrun.cluster.apply import status_document
from trainingrun.cluster.client import Client
from trainingrun.plan.decide import decide
from trainingrun.plan.observed import Observed

WRITERS = 12  # as many as the operator has passes at once

Writes = tuple[TrainingRun, str, Object, list[Object]]  # a run, its version, its status and its first objects


def seconds_of_bare_writes(api: Api, runs: list[Object]) -> float:
    """Seconds until every one of some fresh runs has its status and its first objects, all decided beforehand."""
    prepared = [
        _decided(api.call("POST", PATHS["TrainingRun"].format(one["metadata"]["namespace"]), one)) for one in runs
    ]
    return uvloop.run(_timed(api, prepared))


def _decided(raw: Object) -> Writes:
    """What the operator's first two passes write."""
    run = TrainingRun.from_object(raw)
    seen = Observed(claim=a_claim(run.spec.storage.claim_name or ""))
    status = decide(run, seen, SETTINGS, time.time()).status
    objects = decide(run.model_copy(update={"status": status}), seen, SETTINGS, time.time()).apply
    assert [one["kind"] for one in objects] == ["ConfigMap", "Job"], objects
    return run, raw["metadata"]["resourceVersion"], status_document(status), list(objects)


async def _timed(api: Api, prepared: list[Writes]) -> float:
    configuration = client.Configuration()
    await config.load_kube_config(str(api.kubeconfig), client_configuration=configuration, persist_config=False)
    writer = Client(configuration)
    try:
        started = time.monotonic()
        await asyncio.gather(*(_write(writer, prepared) for _ in range(WRITERS)))
        return time.monotonic() - started
    finally:
        await writer.close()


async def _write(writer: Client, prepared: list[Writes]) -> None:
    while prepared:
        run, version, status, objects = prepared.pop()
        await writer.write_status(run.metadata.namespace, run.metadata.name, version, status)
        for one in objects:
            await writer.apply(one)
