"""The Lease that says which replica acts: replaced by its resourceVersion only, so that two never both take it."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.api import names
from trainingrun.cluster.client import Client
from trainingrun.cluster.kinds import LEASE

ADDRESS: Final = f"{names.GROUP}/address"  # annotation: where the holder takes reports


@dataclass(frozen=True)
class Record:
    """What a Lease says."""

    holder: str = ""  # identity of the replica that acts; empty where none does
    address: str = ""  # URL at which the holder takes reports
    seconds: int = 0  # since its last renewal, after which others may take it
    acquired_at: str = ""  # for people; no decision looks at it
    transitions: int = 0  # how often it has gone from one holder to another
    version: str = ""  # resourceVersion; empty where there is no Lease yet


class Lease:
    """One Lease on the API server."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        """The Lease of that name, which need not exist."""
        self._client, self._namespace, self._name = client, namespace, name

    async def read(self) -> Record:
        """What it says; an empty record where there is none. Errors of the API server pass through."""
        raw = await self._client.get(LEASE, self._namespace, self._name)
        return Record() if raw is None else record(raw)

    async def write(self, wanted: Record, now: float) -> Record:
        """Replace what it says, or make it; StaleError where it is not at the record's version any more."""
        manifest = self._manifest(wanted, now)
        call = self._client.replace if wanted.version else self._client.create
        return record(await call(LEASE, manifest))

    def _manifest(self, wanted: Record, now: float) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": self._name,
            "namespace": self._namespace,
            "annotations": {ADDRESS: wanted.address},
        }
        if wanted.version:
            metadata["resourceVersion"] = wanted.version
        spec: dict[str, Any] = {
            "leaseDurationSeconds": wanted.seconds,
            "leaseTransitions": wanted.transitions,
            "renewTime": micro_time(now),
        }
        if wanted.holder:  # an empty holder is refused; none at all means that nobody holds it
            spec |= {"holderIdentity": wanted.holder, "acquireTime": wanted.acquired_at or micro_time(now)}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}


def record(raw: Mapping[str, Any]) -> Record:
    """What a Lease shows."""
    metadata, spec = raw["metadata"], raw.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        address=(metadata.get("annotations") or {}).get(ADDRESS) or "",
        seconds=int(spec.get("leaseDurationSeconds") or 0),
        acquired_at=spec.get("acquireTime") or "",
        transitions=int(spec.get("leaseTransitions") or 0),
        version=metadata["resourceVersion"],
    )


def micro_time(now: float) -> str:
    """A time as a Lease wants it, with microseconds."""
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
