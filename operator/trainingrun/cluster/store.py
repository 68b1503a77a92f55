"""All that the watches have shown, trimmed to what decisions need."""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.api import names
from trainingrun.cluster.kinds import CONFIG_MAP, JOB, POD, PYTORCHJOB, RUN, WORK, Kind
from trainingrun.cluster.shelf import REMEMBERED_DELETIONS, Entry, Key, Shelf
from trainingrun.cluster.views import SeenPod, SeenWork, owner_uid, seen_pod, seen_work
from trainingrun.plan.observed import Neighbour
from trainingrun_workers.contract import COMPLETE_COUNT

IN_USE: Final = "FolderInUse"  # the reason of a stage that waits for another run's
OVER: Final = frozenset({"Succeeded", "Failed"})  # phases of a stage whose folder nobody writes into


@dataclass(frozen=True)
class SeenRun:
    """A run as it was seen: the object as compressed JSON, since a thousand of them as dictionaries weigh too much."""

    document: bytes
    claim: str
    neighbour: Neighbour | None  # how it looks to other runs on its claim; None where it works on nothing
    made: frozenset[str]  # folders of tokens that it has made or found made
    waits_for_folder: bool  # whether the end of another run is what it waits for

    @property
    def raw(self) -> dict[str, Any]:
        """The object without its managed fields."""
        decoded: dict[str, Any] = json.loads(zlib.decompress(self.document))
        return decoded


@dataclass(frozen=True)
class Owned:
    """An object of which no more than the name and the owner matter."""

    name: str
    owner: str


def run_key(raw: Mapping[str, Any]) -> Key | None:
    """The run that an object belongs to by its labels, or that it is."""
    metadata = raw["metadata"]
    if raw.get("kind") == names.KIND:
        return metadata["namespace"], metadata["name"]
    name = (metadata.get("labels") or {}).get(names.LABEL_RUN)
    return (metadata["namespace"], name) if name else None


def working_folders(status: Mapping[str, Any]) -> tuple[str, ...]:
    """Folders of the stages of a run's status that are running or between two attempts, those of tokens among them.

    A stage that itself waits for another run's is none: two runs would else wait for each other. Nor is a suspended one
    that tokenizes: nobody makes its tokens, and pods of its that still end do no harm to those of others.
    """
    stages = (one for one in status.get("stages") or () if one.get("folder") and one.get("attempt"))
    working = [one for one in stages if one.get("phase") not in OVER and one.get("reason") != IN_USE]
    return tuple(
        folder
        for one in working
        if not (one.get("tokens") and one.get("phase") == "Suspended")
        for folder in (one["folder"], *(one.get("tokens") or {}).values())
    )


def made_folders(status: Mapping[str, Any]) -> frozenset[str]:
    """Folders of a tokenize stage in a run's status that are complete: all of one that has succeeded, else those of the
    sources that its pods have called complete.
    """
    found: set[str] = set()
    for one in status.get("stages") or ():
        tokens = one.get("tokens") or {}
        if tokens and one.get("phase") == "Succeeded":
            found.update((one["folder"], *tokens.values()))
        counts = (one.get("progress") or {}).get("counts") or {}
        found.update(folder for name, folder in tokens.items() if counts.get(f"{name}.{COMPLETE_COUNT}"))
    return frozenset(found)


def seen_run(raw: Mapping[str, Any]) -> SeenRun:
    """What a run shows."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    storage = (raw.get("spec") or {}).get("storage") or {}
    folders = working_folders(status)
    waits = any(one.get("reason") == IN_USE for one in status.get("stages") or ())
    return SeenRun(
        document=zlib.compress(json.dumps({**raw, "metadata": kept}, separators=(",", ":")).encode(), level=1),
        claim=storage.get("claimName") or metadata["name"],
        neighbour=Neighbour(metadata["name"], metadata.get("creationTimestamp") or "", folders) if folders else None,
        made=made_folders(status),
        waits_for_folder=waits,
    )


class Store:
    """Runs, their work, pods and ConfigMaps, as the watches and the operator's own writes have shown them."""

    def __init__(self, ring: Callable[[Key], None] = lambda key: None) -> None:
        """Start empty; `ring` is told of runs whose claim another run has just made room on."""
        self._ring = ring
        self.runs: Shelf[SeenRun] = Shelf()
        self.jobs: Shelf[SeenWork] = Shelf()
        self.pytorchjobs: Shelf[SeenWork] = Shelf()
        self.pods: Shelf[SeenPod] = Shelf()
        self.config_maps: Shelf[Owned] = Shelf()
        self._shelves: dict[str, tuple[Shelf[Any], Any]] = {
            RUN.name: (self.runs, seen_run),
            JOB.name: (self.jobs, lambda raw: seen_work("Job", raw)),
            PYTORCHJOB.name: (self.pytorchjobs, lambda raw: seen_work("PyTorchJob", raw)),
            POD.name: (self.pods, seen_pod),
            CONFIG_MAP.name: (
                self.config_maps,
                lambda raw: Owned(raw["metadata"]["name"], owner_uid(raw["metadata"])),
            ),
        }
        self._neighbours: dict[Key, dict[str, Neighbour]] = {}  # by namespace and claim, then by the run's name
        self._made: dict[Key, dict[str, frozenset[str]]] = {}  # likewise
        self._waiting: dict[Key, set[str]] = {}
        self._owners: dict[str, str] = {}  # uid of the run of each Job and PyTorchJob, also of those that are gone

    def shelf(self, kind: Kind) -> Shelf[Any]:
        """The shelf of a kind."""
        return self._shelves[kind.name][0]

    def put(self, kind: Kind, raw: Mapping[str, Any]) -> Key | None:
        """Keep an object; the run that it tells something new of."""
        key = run_key({**raw, "kind": kind.name})
        if key is None:
            return None
        shelf, trim = self._shelves[kind.name]
        metadata = raw["metadata"]
        uid, version = metadata["uid"], int(metadata["resourceVersion"])
        known = shelf.get(uid)
        if known is not None and known.version >= version:
            return None
        kept = shelf.put(Entry(uid, version, key, trim(raw)))
        if kept and kind is RUN:
            self._note_run(key)
        if kept and kind in WORK:
            self._note_owner(uid, owner_uid(metadata))
        return key if kept else None

    def remove(self, kind: Kind, uid: str) -> Key | None:
        """Forget an object that is gone; the run that it belonged to."""
        gone = self.shelf(kind).remove(uid)
        if gone is not None and kind is RUN:
            self._forget_run(gone.key, gone.value)
        return gone.key if gone is not None else None

    def run(self, key: Key) -> Entry[SeenRun] | None:
        """The run of that name; the newest where one was deleted and made again."""
        return max(self.runs.of(key), key=lambda entry: entry.version, default=None)

    def owner_of_work(self, uid: str) -> str | None:
        """The uid of the run that a Job or PyTorchJob belongs to or belonged to."""
        return self._owners.get(uid)

    def neighbours(self, namespace: str, claim: str, name: str) -> tuple[Neighbour, ...]:
        """Other runs that are at work on a claim."""
        on_claim = self._neighbours.get((namespace, claim), {})
        return tuple(one for other, one in on_claim.items() if other != name)

    def made(self, namespace: str, claim: str) -> frozenset[str]:
        """Folders of tokens that runs on a claim have made; of runs that are deleted nothing is known."""
        return frozenset().union(*self._made.get((namespace, claim), {}).values())

    def intend(self, key: Key, claim: str, created_at: str, status: Mapping[str, Any]) -> None:
        """Let other runs see at once what a run is about to work on, before its status is written."""
        folders = working_folders(status)
        neighbour = Neighbour(key[1], created_at, folders) if folders else None
        self._set_neighbour((key[0], claim), key[1], neighbour, made_folders(status))

    def _note_owner(self, work: str, run: str) -> None:
        self._owners[work] = run
        while len(self._owners) > REMEMBERED_DELETIONS:
            del self._owners[next(iter(self._owners))]

    def _note_run(self, key: Key) -> None:
        """Bring what other runs see of a run up to date."""
        entry = self.run(key)
        if entry is None:
            return
        place = (key[0], entry.value.claim)
        waiting = self._waiting.setdefault(place, set())
        (waiting.add if entry.value.waits_for_folder else waiting.discard)(key[1])
        self._set_neighbour(place, key[1], entry.value.neighbour, entry.value.made)

    def _set_neighbour(self, place: Key, name: str, now: Neighbour | None, made: frozenset[str]) -> None:
        on_claim, made_on_claim = self._neighbours.setdefault(place, {}), self._made.setdefault(place, {})
        before, made_before = on_claim.pop(name, None), made_on_claim.pop(name, frozenset())
        if now is not None:
            on_claim[name] = now
        if made:
            made_on_claim[name] = made
        freed = set(before.working_on if before else ()) - set(now.working_on if now else ())
        if freed or made - made_before:
            for other in self._waiting.get(place, ()):
                self._ring((place[0], other))

    def _forget_run(self, key: Key, gone: SeenRun) -> None:
        place = (key[0], gone.claim)
        self._waiting.get(place, set()).discard(key[1])
        self._set_neighbour(place, key[1], None, frozenset())
        self._note_run(key)
