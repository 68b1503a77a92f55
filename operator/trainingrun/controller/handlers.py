"""kopf as an informer: what the watches show goes into the store and rings the run's key; nothing else happens here.

kopf stores nothing on the objects: there are no create, update, field or delete handlers, no timers and no daemons,
which would add finalizers and annotations.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import kopf

from trainingrun.api import names
from trainingrun.cluster.connection import bearer_token
from trainingrun.cluster.kinds import JOB, POD, PYTORCHJOB, RUN, Kind
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.store import Store, run_key

WATCHED: Final = (RUN, JOB, POD)  # PyTorchJobs too where they are served
GONE: Final = "DELETED"


class Patiently:
    """Waits between tries of a watch, without an end: each loop over it starts anew."""

    def __iter__(self) -> Iterator[float]:
        wait = 0.5
        while True:
            yield wait * random.uniform(0.5, 1.0)
            wait = min(wait * 2, 20.0)


class NoDiffBase(kopf.DiffBaseStorage):  # type: ignore[misc]  # kopf is not followed
    """kopf compares each object with its last state for handlers that there are none of here: a quarter of all CPU."""

    def build(self, **_: Any) -> Any:
        """No state."""
        return {}

    def fetch(self, **_: Any) -> None:
        """No last state."""
        return None

    def store(self, **_: Any) -> None:
        """Nothing is written on objects."""


def kopf_settings(silence_seconds: float) -> Any:
    """kopf's settings: no peering, no postings, no scanning, watches that notice when they have died."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.execution.max_workers = 1  # there are no synchronous handlers
    settings.queueing.worker_limit = None
    settings.queueing.idle_timeout = 1.0  # a task for each object that was just seen is held no longer than that
    settings.queueing.exit_timeout = 0.5
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = Patiently()
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    settings.watching.connect_timeout = 30
    settings.watching.inactivity_timeout = silence_seconds
    settings.watching.chunk_size = 100
    for kind in (JOB, POD, PYTORCHJOB):
        settings.watching.label_selectors[(*_group(kind), kind.plural)] = names.LABEL_RUN
    return settings


def registry(
    kinds: Iterable[Kind], store: Store, ring: Callable[[Key], None], forget: Callable[[Key, str], None], made: Any
) -> Any:
    """The handlers of some kinds; `made` is the client's configuration, whose credentials kopf uses as well."""
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> Any:
        return kopf.ConnectionInfo(
            server=made.host,
            ca_path=made.ssl_ca_cert,
            insecure=not made.verify_ssl,
            token=await bearer_token(made),
            certificate_path=made.cert_file,
            private_key_path=made.key_file,
        )

    kopf.on.login(registry=handlers)(login)
    for kind in kinds:
        kopf.on.event(*_group(kind), kind.plural, registry=handlers)(_follower(kind, store, ring, forget))
    return handlers


def _group(kind: Kind) -> Sequence[str]:
    group, _, version = kind.api_version.rpartition("/")
    return (group, version)


def _follower(
    kind: Kind, store: Store, ring: Callable[[Key], None], forget: Callable[[Key, str], None]
) -> Callable[..., Any]:
    async def follow(event: Any, **_: Any) -> None:
        raw = event["object"]
        uid = raw["metadata"]["uid"]
        if event["type"] != GONE:
            changed = store.put(kind, raw)
        else:
            changed = store.remove(kind, uid) or run_key({**raw, "kind": kind.name})
            if kind is RUN and changed is not None:
                forget(changed, uid)
        if changed is not None:
            ring(changed)

    return follow
