"""Whether the watches are in step with the API server: the only proof that an operator is not deaf.

A watch that has died silently looks like a quiet cluster. So the metadata of everything that is watched is listed now
and then, and compared with what the watches have shown. What the server had a while ago and the watches have not
shown yet means deafness; what the watches have shown and the server no longer has is forgotten here, since a watch
that was interrupted may miss a deletion.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trainingrun.api import names
from trainingrun.cluster.client import Client
from trainingrun.cluster.kinds import CONFIG_MAP, JOB, POD, PYTORCHJOB, RUN, Kind
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.store import Store


@dataclass(frozen=True)
class Expectation:
    """An object that the watches must have shown, at least in this version."""

    kind: Kind
    uid: str
    version: int


class Audit:
    """Compares the store with the API server, in all namespaces or in some."""

    def __init__(
        self,
        client: Client,
        store: Store,
        namespaces: Sequence[str],
        watches_pytorchjobs: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`watches_pytorchjobs` says whether that kind is being watched."""
        self._client, self._store, self._clock = client, store, clock
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._watches_pytorchjobs = watches_pytorchjobs
        self._expected: list[Expectation] = []
        self._missing: dict[Kind, frozenset[str]] = {}
        self.in_step_at = clock()  # when the watches were last seen to be in step

    async def take(self) -> frozenset[Key]:
        """One comparison; the runs of objects that are gone unnoticed. Errors of the API server pass through."""
        in_step = self.caught_up()
        expected: list[Expectation] = []
        gone: set[Key] = set()
        for kind in self._kinds():
            listed = await self._list(kind)
            expected += [Expectation(kind, uid, version) for uid, version in listed.items()]
            gone |= self._forget_gone(kind, listed)
        self._expected = expected
        await self._list_config_maps()
        if in_step or self.caught_up():
            self.in_step_at = self._clock()
        return frozenset(gone)

    def caught_up(self) -> bool:
        """Whether the watches have shown all that the last comparison had found on the server."""
        return not any(self._is_due(one) for one in self._expected)

    def lacking(self) -> int:
        """How much of that the watches have not shown."""
        return sum(self._is_due(one) for one in self._expected)

    def _is_due(self, expected: Expectation) -> bool:
        shelf = self._store.shelf(expected.kind)
        known = shelf.get(expected.uid)
        return not shelf.was_deleted(expected.uid) and (known is None or known.version < expected.version)

    def _kinds(self) -> Sequence[Kind]:
        return (RUN, JOB, POD, PYTORCHJOB) if self._watches_pytorchjobs() else (RUN, JOB, POD)

    async def _list(self, kind: Kind) -> dict[str, int]:
        """Versions of all objects of a kind, by uid."""
        return {raw["metadata"]["uid"]: int(raw["metadata"]["resourceVersion"]) for raw in await self._objects(kind)}

    async def _objects(self, kind: Kind) -> list[dict[str, Any]]:
        label = None if kind is RUN else names.LABEL_RUN
        found: list[dict[str, Any]] = []
        for namespace in self._namespaces:
            found += await self._client.list_metadata(kind, namespace, label)
        return found

    def _forget_gone(self, kind: Kind, listed: dict[str, int]) -> set[Key]:
        """Forget what two comparisons in a row have not found; one may have missed what was made meanwhile."""
        shelf = self._store.shelf(kind)
        missing = frozenset(entry.uid for entry in shelf.entries() if entry.uid not in listed)
        gone = missing & self._missing.get(kind, frozenset())
        self._missing[kind] = missing - gone
        return {key for uid in gone if (key := self._store.remove(kind, uid)) is not None}

    async def _list_config_maps(self) -> None:
        """ConfigMaps are not watched at all: their names are enough, and no decision waits for them."""
        listed = await self._objects(CONFIG_MAP)
        uids = {raw["metadata"]["uid"] for raw in listed}
        self._forget_gone(CONFIG_MAP, dict.fromkeys(uids, 0))
        for raw in listed:
            self._store.put(CONFIG_MAP, raw)
