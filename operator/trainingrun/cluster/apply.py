"""From a plan to the API server: objects in order, deletions, the status once, then the events."""

from dataclasses import dataclass, field
from typing import Any, Final

from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.api.training_run import Metadata, TrainingRun
from trainingrun.cluster.client import Client, Object
from trainingrun.cluster.errors import RefusedError, TemporaryError
from trainingrun.cluster.events import EventWriter
from trainingrun.cluster.kinds import BY_NAME, CLAIM, RUN, WORK
from trainingrun.cluster.observe import PATIENCE, Observer
from trainingrun.cluster.problems import Problems
from trainingrun.cluster.store import Store
from trainingrun.cluster.views import owner_uid
from trainingrun.plan.actions import Deletion, Event, Plan

LEFTOVER_RETRY: Final = 2.0  # seconds until a name is looked at again that an earlier run's object still has


@dataclass
class Outcome:
    """What came of a plan: after how many seconds another pass is due, and the error that is worth another try."""

    look_again: list[float] = field(default_factory=list)
    version: int | None = None  # of the run after its status was written; None where it was not
    failure: TemporaryError | None = None


class Applier:
    """Writes of all passes."""

    def __init__(
        self, client: Client, store: Store, observer: Observer, problems: Problems, events: EventWriter
    ) -> None:
        """Everything that is written also goes into the store, so that the next pass sees it."""
        self._client, self._store, self._observer, self._problems = client, store, observer, problems
        self._events = events
        self._deleted: dict[str, None] = {}  # uids that were asked to go; asking once is enough

    async def carry_out(self, run: TrainingRun, version: int, plan: Plan, now: float) -> Outcome:
        """Do what a plan says; StaleError when the run has changed, TemporaryError when its status can't be written.

        An object that can't be made stops neither the deletions nor the status, which tells of it.
        """
        outcome = Outcome()
        self._problems.keep(run.metadata.uid, {(one["kind"], one["metadata"]["name"]) for one in plan.apply})
        for manifest in plan.apply:
            if not await self._apply(run, manifest, outcome):
                break
        for deletion in plan.delete:
            await self._delete(run.metadata.namespace, deletion, outcome)
        if plan.status != run.status:
            outcome.version = await self._write_status(run.metadata, version, plan.status)
            # What the status says is done by the next pass, and the watch tells nothing new of an own write.
            outcome.look_again.append(0.0)
        for event in plan.events:
            self._events.add(run.metadata, event, now)
        return outcome

    async def say(self, run: Metadata, version: int, status: TrainingRunStatus, event: Event, now: float) -> None:
        """Write a status and one event, with no plan."""
        await self._write_status(run, version, status)
        self._events.add(run, event, now)

    async def _apply(self, run: TrainingRun, manifest: dict[str, Any], outcome: Outcome) -> bool:
        """Make one object; False where those after it must wait."""
        uid, kind, name = run.metadata.uid, BY_NAME[manifest["kind"]], manifest["metadata"]["name"]
        try:
            made = await self._client.apply(manifest)
        except TemporaryError as error:
            self._problems.note_failure(uid, (kind.name, name), error.message)
            outcome.failure = error
            return False
        except RefusedError as error:
            if error.status == 404:
                self._observer.forget_served()
            leftover = await self._leftover(run, manifest) if error.status in (409, 422) else None
            wait = self._problems.note(uid, (kind.name, name), leftover or error.message)
            outcome.look_again.append(min(wait, LEFTOVER_RETRY) if leftover else wait)
            return False
        if self._problems.clear(uid, (kind.name, name)):
            outcome.look_again.append(0.0)  # the status still tells of the refusal
        if kind in WORK:
            outcome.look_again.append(PATIENCE)  # are there pods by then?
        if kind is CLAIM:
            self._observer.forget_claim(run.metadata.namespace, name)
            outcome.look_again.append(0.0)
        else:
            self._store.put(kind, made)
        return True

    async def _leftover(self, run: TrainingRun, manifest: dict[str, Any]) -> str | None:
        """A sentence where the name is taken by an object that is another's or is on its way out."""
        kind, name = BY_NAME[manifest["kind"]], manifest["metadata"]["name"]
        found = await self._client.get(kind, run.metadata.namespace, name)
        if found is None:
            return f"{kind.name} {name} has just gone."
        if "deletionTimestamp" in found["metadata"]:
            return f"{kind.name} {name} is being deleted; the run waits for it to go."
        if kind is not CLAIM and owner_uid(found["metadata"]) != run.metadata.uid:
            return f"{kind.name} {name} is there and belongs to something else: delete it, or rename the run."
        return None

    async def _delete(self, namespace: str, deletion: Deletion, outcome: Outcome) -> None:
        if deletion.uid is not None and deletion.uid in self._deleted:
            return
        kind = BY_NAME[deletion.kind]
        try:
            await self._client.delete(kind, namespace, deletion.name, deletion.uid, deletion.force)
        except TemporaryError as error:
            outcome.failure = error
            return
        if deletion.uid is not None:
            self._deleted[deletion.uid] = None
            while len(self._deleted) > 1000:
                del self._deleted[next(iter(self._deleted))]
        elif deletion.kind == "ConfigMap":
            self._forget_config_map(namespace, deletion.name)

    def _forget_config_map(self, namespace: str, name: str) -> None:
        """ConfigMaps are not watched: those that are deleted here are forgotten here."""
        shelf = self._store.config_maps
        for entry in [one for one in shelf.entries() if one.key[0] == namespace and one.value.name == name]:
            shelf.remove(entry.uid)

    async def _write_status(self, run: Metadata, version: int, status: TrainingRunStatus) -> int:
        document = status_document(status)
        metadata = await self._client.write_status(run.namespace, run.name, str(version), document)
        known = self._store.runs.get(run.uid)
        if known is not None:
            # The version was still the one that was read, so that nothing but the status is new.
            self._store.put(RUN, {**known.value.raw, "metadata": metadata, "status": document})
        return int(metadata["resourceVersion"])


# Counters and lists of a stage as they are before anything is known; of thousands of stages most say nothing else.
_EMPTY: Final = {
    field.alias: field.default
    for field in StageStatus.model_fields.values()
    if not field.is_required() and field.default is not None and not field.default
}


def status_document(status: TrainingRunStatus) -> Object:
    """A status as it is written: counters and lists of stages and attempts only once they hold something."""
    document: Object = status.model_dump(by_alias=True, exclude_none=True)
    for stage in document["stages"]:
        for name in [name for name, empty in _EMPTY.items() if stage.get(name) == empty]:
            del stage[name]
        for name in [
            name for name in ("counts", "notes", "stragglers") if not stage.get("progress", {}).get(name, True)
        ]:
            del stage["progress"][name]
    for attempt in document["attempts"]:
        if not attempt["nodes"]:
            del attempt["nodes"]
    return document
