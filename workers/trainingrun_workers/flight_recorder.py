"""What torch's flight recorder holds of a rank's collectives, kept when a gang hangs.

torch notes the last collectives of every group in memory, where TORCH_FR_BUFFER_SIZE says how many. A rank that is
asked by a file in the folder that it shares with its pod's main process writes, in that folder,

    3.flight.json       a `Flight`, for the sentence that says who did not join; at once
    3.gloo, 3.nccl      what `torchfrtrace` reads: torch's own dump, a pickle, with the members of gloo's groups put in;
                        after seconds, since torch looks up where each collective was called from

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
    peers: list[str] = field(default_factory=list)  # messages between two ranks that have not ended; not of gloo's


def listen(folder: Path, rank: int) -> None:
    """Answer requests from now on; after the process group was joined."""
    thread = threading.Thread(target=_answer, args=(folder, rank), name="flight recorder", daemon=True)
    thread.start()


def _answer(folder: Path, rank: int) -> None:
    while not (folder / REQUEST).exists():
        time.sleep(POLL_SECONDS)
    found = Flight()
    dumps = {recorder: _dump(recorder, stacks=False) for recorder in RECORDERS}
    used = [recorder for recorder, dump in dumps.items() if dump.get("entries")]
    for recorder in used:
        _add(found, recorder, dumps[recorder])
    _write(folder / f"{rank}.{SUMMARY}", json.dumps(dataclasses.asdict(found)).encode())
    for recorder in used:
        _write(folder / f"{rank}.{recorder}", pickle.dumps(_dump(recorder, stacks=True)))


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _dump(recorder: str, stacks: bool) -> dict[str, Any]:
    import torch
    from torch._C import _distributed_c10d as c10d
    from torch.distributed import distributed_c10d

    if recorder == "nccl" and not torch.cuda.is_available():
        return {}
    # Each function takes: collectives, stacks, only what has not ended.
    take = c10d._dump_nccl_trace if recorder == "nccl" else c10d._dump_fr_trace
    dump: dict[str, Any] = pickle.loads(take(True, stacks, False))
    world = distributed_c10d._world
    known = {  # nanotron gives the members as numpy's numbers, which are no JSON
        name: {"name": name, "desc": name, "ranks": str([int(one) for one in world.pg_group_ranks[group]])}
        for group, name in world.pg_names.items()
        if group in world.pg_group_ranks  # not those that this rank is no member of
    }
    config = {name: one for name, one in (dump.get("pg_config") or {}).items() if name}
    members = {name: config.get(name, one) | {"ranks": one["ranks"]} for name, one in known.items()}
    dump["pg_config"] = config | members
    return dump


def _add(found: Flight, recorder: str, dump: Mapping[str, Any]) -> None:
    for entry in dump["entries"]:
        if entry["is_p2p"]:  # of two ranks alone, numbered by themselves
            found.peers.extend(() if entry["retired"] else (str(entry["profiling_name"]),))
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
        self._said: dict[int, Flight] = {}

    def ask(self, seconds: float, answers: Callable[[int], bool]) -> dict[int, Flight]:
        """What each rank says for which `answers` is true, within so many seconds; a later answer is not waited for."""
        request = self._folder / REQUEST
        request.touch()
        asked = {rank: self._folder / f"{rank}.{SUMMARY}" for rank in self._ranks if answers(rank)}
        _await(asked.values(), seconds)
        request.unlink()  # a rank that wakes up now would tell of another moment
        self._said = {rank: Flight(**json.loads(path.read_text())) for rank, path in asked.items() if path.exists()}
        return self._said

    def dumps(self, seconds: float) -> list[tuple[str, Path]]:
        """The files that torchfrtrace reads, by the names that it takes them by: gloo_3.

        Those of the ranks that have answered are waited for, for so long.
        """
        _await(
            [
                self._folder / f"{rank}.{recorder}"
                for rank, flight in self._said.items()
                for recorder in {group.partition(" ")[0] for group in flight.begun}
            ],
            seconds,
        )
        files = sorted(path for recorder in RECORDERS for path in self._folder.glob(f"*.{recorder}"))
        return [(f"{path.suffix[1:]}_{path.stem}", path) for path in files]


def _await(files: Iterable[Path], seconds: float) -> None:
    files, until = list(files), time.monotonic() + seconds
    while not all(file.exists() for file in files) and time.monotonic() < until:
        time.sleep(POLL_SECONDS / 2)
