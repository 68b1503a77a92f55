"""What torch's flight recorder holds of a rank's collectives, kept when a gang hangs.

torch notes the last collectives of every group in memory, where TORCH_FR_BUFFER_SIZE says how many. A rank that is
asked by a file in the folder that it shares with its pod's main process writes, in that folder,

    3.gloo, 3.nccl      what `torchfrtrace` reads: torch's own dump, a pickle, with the members of gloo's groups put in
    3.flight.json       a `Flight`, for the sentence that says who did not join

from a thread of its own, since its training thread waits in a collective. A rank that is stopped writes nothing.
"""

import dataclasses
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

BUFFER_VARIABLE: Final = "TORCH_FR_BUFFER_SIZE"
BUFFER: Final = "2000"  # collectives of each rank
RECORDERS: Final = ("gloo", "nccl")
SUMMARY: Final = "flight.json"
REQUEST: Final = "flight-request"
POLL_SECONDS: Final = 0.2

Group = str  # "gloo 1": a recorder, and a group's name in torch


@dataclass(frozen=True)
class Flight:
    """How far a rank has come in each group: numbers that torch counts collectives by."""

    begun: dict[Group, int] = field(default_factory=dict)  # the last one
    waits: dict[Group, str] = field(default_factory=dict)  # the name of the oldest that has not ended
    members: dict[Group, list[int]] = field(default_factory=dict)


def listen(folder: Path, rank: int) -> None:
    """Answer requests from now on; after the process group was joined."""
    thread = threading.Thread(target=_answer, args=(folder, rank), name="flight recorder", daemon=True)
    thread.start()


def _answer(folder: Path, rank: int) -> None:
    while not (folder / REQUEST).exists():
        time.sleep(POLL_SECONDS)
    found = Flight()
    for recorder in RECORDERS:
        dump = _dump(recorder)
        if dump.get("entries"):
            (folder / f"{rank}.{recorder}").write_bytes(pickle.dumps(dump))
            _add(found, recorder, dump)
    temporary = folder / f"{rank}.{SUMMARY}.tmp"
    temporary.write_text(json.dumps(dataclasses.asdict(found)))
    temporary.replace(folder / f"{rank}.{SUMMARY}")


def _dump(recorder: str) -> dict[str, Any]:
    import torch
    from torch._C import _distributed_c10d as c10d
    from torch.distributed import distributed_c10d

    if recorder == "nccl" and not torch.cuda.is_available():
        return {}
    # Each function takes: collectives, stacks, only what has not ended.
    take = c10d._dump_nccl_trace if recorder == "nccl" else c10d._dump_fr_trace
    dump: dict[str, Any] = pickle.loads(take(True, True, False))
    world = distributed_c10d._world
    known = {
        name: {"name": name, "desc": name, "ranks": str([*world.pg_group_ranks[group]])}
        for group, name in world.pg_names.items()
        if group in world.pg_group_ranks  # not those that this rank is no member of
    }
    config = {name: one for name, one in (dump.get("pg_config") or {}).items() if name}
    dump["pg_config"] = known | config
    return dump


def _add(found: Flight, recorder: str, dump: Mapping[str, Any]) -> None:
    for entry in dump["entries"]:
        if entry["is_p2p"]:  # of two ranks alone, numbered by themselves
            continue
        name = str(entry["process_group"][0])
        group, number = f"{recorder} {name}", int(entry["collective_seq_id"])
        found.begun[group] = max(found.begun.get(group, 0), number)
        if not entry["retired"]:
            found.waits.setdefault(group, f"{entry['profiling_name']} {number}")
        if name in dump["pg_config"]:
            found.members[group] = list(json.loads(dump["pg_config"][name]["ranks"]))


class Flights:
    """The main process' side: asks the ranks of its pod, and reads what they have written."""

    def __init__(self, folder: Path, ranks: Iterable[int]) -> None:
        self._folder, self._ranks = folder, sorted(ranks)

    def ask(self, seconds: float, answers: Callable[[int], bool]) -> dict[int, Flight]:
        """What each rank says for which `answers` is true, within so many seconds; a later answer is not waited for."""
        request = self._folder / REQUEST
        request.touch()
        until = time.monotonic() + seconds
        asked = [rank for rank in self._ranks if answers(rank)]
        while not all(self._file(rank).exists() for rank in asked) and time.monotonic() < until:
            time.sleep(POLL_SECONDS / 2)
        request.unlink()  # a rank that wakes up now would tell of another moment
        return {rank: Flight(**json.loads(self._file(rank).read_text())) for rank in asked if self._file(rank).exists()}

    def dumps(self) -> list[tuple[str, Path]]:
        """The files that torchfrtrace reads, by the names that it takes them by: gloo_3."""
        files = sorted(path for recorder in RECORDERS for path in self._folder.glob(f"*.{recorder}"))
        return [(f"{path.suffix[1:]}_{path.stem}", path) for path in files]

    def _file(self, rank: int) -> Path:
        return self._folder / f"{rank}.{SUMMARY}"


def who_is_missing(flights: Mapping[int, Flight], ranks: Iterable[int]) -> str | None:
    """Which of a pod's ranks has not joined a collective that others wait in, as the beginning of a sentence.

    A rank that said nothing has not joined. None where no rank waits.
    """
    ranks = sorted(ranks)
    for group in sorted({group for flight in flights.values() for group in flight.waits}):
        waiting = [rank for rank in ranks if rank in flights and group in flights[rank].waits]
        farthest = max(waiting, key=lambda rank: flights[rank].begun[group])
        number, members = flights[farthest].begun[group], flights[farthest].members.get(group, ranks)
        missing = [rank for rank in ranks if rank in members and _begun(flights, rank, group) < number]
        if missing:
            others = [rank for rank in waiting if rank not in missing]
            what = flights[farthest].waits[group]
            return f"{_named(missing)} did not join {what}, in which {_named(others).lower()} waited"
    waits = {
        rank: next(iter(flights[rank].waits.values())) for rank in ranks if rank in flights and flights[rank].waits
    }
    if not waits:
        return None
    return f"{_named(waits)} waited in {next(iter(waits.values()))} for ranks of other pods"


def _begun(flights: Mapping[int, Flight], rank: int, group: Group) -> int:
    return flights[rank].begun.get(group, 0) if rank in flights else 0


def _named(ranks: Iterable[int]) -> str:
    *others, last = map(str, ranks)
    return f"Ranks {', '.join(others)} and {last}" if others else f"Rank {last}"
