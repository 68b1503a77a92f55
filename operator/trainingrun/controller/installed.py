"""`python -m trainingrun.controller.installed`: whether an installation works; what `helm test` runs.

It has the operator's own account and environment, so that what it may is what the operator may.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from kubernetes.aio.config import ConfigException

from trainingrun.api import names
from trainingrun.api.crd import schema
from trainingrun.api.schema import parts
from trainingrun.cluster.client import Client
from trainingrun.cluster.connection import configuration
from trainingrun.cluster.errors import ClusterError
from trainingrun.cluster.kinds import PYTORCHJOB, RUN
from trainingrun.controller.settings import OperatorSettings, SettingsError, operator_settings, stage_settings

PATIENCE: Final = 60.0  # seconds that the operator may take to be ready
PAUSE: Final = 1.0

# What the operator may where runs are: API group, resource, verbs. The chart's rules say the same.
RIGHTS: Final = (
    (names.GROUP, "trainingruns", ("get", "list", "watch")),
    (names.GROUP, "trainingruns/status", ("update",)),
    ("batch", "jobs", ("get", "list", "watch", "create", "patch", "delete")),
    ("kubeflow.org", "pytorchjobs", ("get", "list", "watch", "create", "patch", "delete")),
    ("", "configmaps", ("get", "list", "create", "patch", "delete")),
    ("", "pods", ("get", "list", "watch", "delete")),
    ("", "persistentvolumeclaims", ("get", "create", "patch")),
    ("", "events", ("get", "list", "create", "patch")),
)
TOKENS: Final = ("authentication.k8s.io", "tokenreviews", ("create",))
NODES: Final = ("", "nodes", ("get",))


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    well: bool
    sentence: str


async def findings(
    client: Client, own: OperatorSettings, url: str, patience: float = PATIENCE
) -> AsyncIterator[Finding]:
    """Everything that was looked at, in reading order; `url` is the operator's Service. ClusterError where the API
    server does not answer."""
    yield await _answers(url, patience)
    async for finding in _definitions(client):
        yield finding
    missing = [one async for one in _missing(client, own)]
    for sentence in missing:
        yield Finding(False, sentence)
    if not missing:
        where = f"in {', '.join(own.namespaces)}" if own.namespaces else "in all namespaces"
        yield Finding(True, f"The operator has its rights {where}.")


async def _answers(url: str, patience: float) -> Finding:
    """Whether the operator answers at its Service, within so many seconds."""
    until, said = time.monotonic() + patience, ""
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        while True:
            try:
                async with session.get(f"{url}/readyz") as answer:
                    if answer.status == 200:
                        return Finding(True, f"The operator answers at {url}.")
                    said = (await answer.text())[:300]
            except (aiohttp.ClientError, TimeoutError) as error:
                said = str(error) or type(error).__name__
            if time.monotonic() > until:
                return Finding(
                    False,
                    f"The operator is not ready at {url} after {patience:.0f} s ({said}): look at its pods and their "
                    "log, and at NetworkPolicies between.",
                )
            await asyncio.sleep(PAUSE)


async def _definitions(client: Client) -> AsyncIterator[Finding]:
    if not await client.serves(RUN):
        yield Finding(False, f"The API server does not know {names.KIND}: apply the chart's crds/ folder.")
    elif unknown := sorted(_fields(schema()) - _fields(await client.served_schema(RUN))):
        some = ", ".join(unknown[:3])
        yield Finding(
            False,
            f"The API server's {names.KIND} is of another version, which lacks {some}: upgrade with crds.upgrade=true, "
            "or replace it by the chart's crds/ folder.",
        )
    else:
        yield Finding(True, f"The API server has this version's {names.KIND}.")
    if not await client.serves(PYTORCHJOB):
        yield Finding(
            True, "There is no kind PyTorchJob: runs wait before they train until Kubeflow's operator is there."
        )


def _fields(one: Any) -> set[str]:
    """The paths of a schema's fields below the spec."""
    return {path for path, _ in parts(one) if path.startswith("spec.")}


async def _missing(client: Client, own: OperatorSettings) -> AsyncIterator[str]:
    """A sentence for each right that is missing."""
    for namespace, (group, resource, verbs) in _wanted(own):
        for verb in verbs:
            if not await client.may(verb, group, resource, namespace):
                what = f"{resource}.{group}" if group else resource
                where = f" in namespace {namespace}" if namespace else ""
                yield f"The operator may not {verb} {what}{where}: install with rbac.create=true, or bind its account."


def _wanted(own: OperatorSettings) -> Iterator[tuple[str | None, tuple[str, str, tuple[str, ...]]]]:
    for namespace in own.namespaces or (None,):
        yield from ((namespace, right) for right in RIGHTS)
    yield None, TOKENS
    if own.read_nodes:
        yield None, NODES


async def _run() -> bool:
    own, url = operator_settings(os.environ), stage_settings(os.environ).report_url
    client = Client(await configuration())
    well = True
    try:
        async for finding in findings(client, own, url or f"http://127.0.0.1:{own.port}"):
            print(f"{'ok' if finding.well else 'WRONG'}: {finding.sentence}", flush=True)
            well = well and finding.well
    finally:
        await client.close()
    return well


def main() -> int:
    """The exit code: 1 where something is wrong."""
    try:
        return 0 if asyncio.run(_run()) else 1
    except ClusterError as error:
        print(f"WRONG: {error.message}")
    except (SettingsError, ConfigException) as error:
        print(f"WRONG: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
