"""Ends a pre-flight that does not come to its end, and says where each rank was.

Every rank notes what it does in torch's store, which rank 0's pod serves over TCP: neither the volume nor a collective
is needed for it, as either may be what hangs. A thread of each rank waits for the limit, reads what all have noted,
prints the rank's stacks into its log and ends the process, since the rank's own thread may wait in a call that nothing
interrupts.
"""

import datetime
import faulthandler
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from trainingrun_workers.contract import ExitCode, Result
from trainingrun_workers.hangs.naming import listed, placed
from trainingrun_workers.launched import LaunchedRank, end_rank

REASON: Final = "PreflightTimeout"
DEFAULT_SECONDS: Final = 300.0  # for an input that names no limit
STORE_TIMEOUT: Final = datetime.timedelta(seconds=10)
ANSWER_SECONDS: Final = 2.0  # that ranks have for saying that they are still there
MOST_BLAMED: Final = 16
# What a rank does, in the order in which it does it.
PARTS: Final = {
    "folder": "the folder on the volume",
    "joining": "the meeting of all ranks",
    "card": "its card",
    "matmul": "the matrix product",
    "volume": "its file on the volume",
    "allReduce": "the all-reduce",
    "links": "the links between nodes",
    "gathering": "the gathering of all figures",
}
ORDER: Final = [*PARTS]
_CARD: Final = "look at that node's cards and driver"
_VOLUME: Final = "look at the mount of the volume there, and at the volume's server"
_NETWORK: Final = "look at the network profile and at network policies between pods"
ADVICE: Final = {
    "folder": _VOLUME,
    "card": _CARD,
    "matmul": _CARD,
    "volume": _VOLUME,
    "allReduce": _NETWORK,
    "links": _NETWORK,
}


@dataclass(frozen=True)
class Place:
    """Where a rank was when the time was over."""

    node: str
    part: str  # of PARTS
    answers: bool = True  # whether its process could still say something


def limit(asked: Mapping[str, Any]) -> float:
    """Seconds that the pre-flight of an input may take, 0 where there is none."""
    return float(asked.get("timeout") or DEFAULT_SECONDS) if asked.get("enabled") else 0.0


def too_long(places: Mapping[int, Place], ranks: int, limit: float) -> Result:
    """The last words of a gang whose pre-flight took longer than `limit` seconds, by what its ranks have noted.

    Ranks that no longer answer are at fault, else those that are behind the others. Its output names their nodes,
    unless they are on more than half of the nodes: then it is the network, or what the nodes have in common.
    """
    begun = f"The pre-flight did not end within {limit:g} s (pretrain.preflight.timeout)"
    if not places:
        return _words(f"{begun}, and nothing was heard of any rank: see the logs of the gang's pods.", ())
    behind = _behind(places)
    others = [rank for rank in sorted(places) if rank not in behind]
    part = min((places[rank].part for rank in behind), key=ORDER.index)
    nodes = tuple(dict.fromkeys(places[rank].node for rank in behind))
    message = (
        f"{begun}: {placed(behind, lambda rank: f'on node {places[rank].node}')} {_was(behind)} still at {PARTS[part]}"
    )
    message += "" if places[behind[0]].answers else " and did not answer any more"
    if others:
        farthest = max((places[rank].part for rank in others), key=ORDER.index)
        message += f", while {listed(others)} {_was(others)} at {PARTS[farthest]}"
    silent = [rank for rank in range(ranks) if rank not in places]
    message += f"; nothing was heard of {listed(silent)}" if silent else ""
    few = bool(others) and 2 * len(nodes) <= len({one.node for one in places.values()})
    advice = ADVICE.get(part, "see the logs of these pods")
    return _words(f"{message}: {advice}.", nodes[:MOST_BLAMED] if few else ())


def _behind(places: Mapping[int, Place]) -> list[int]:
    quiet = [rank for rank, one in sorted(places.items()) if not one.answers]
    least = min((one.part for one in places.values()), key=ORDER.index)
    return quiet or [rank for rank, one in sorted(places.items()) if one.part == least]


def _words(message: str, nodes: tuple[str, ...]) -> Result:
    output = {"node": nodes[0], "nodes": [*nodes]} if nodes else {}
    return Result(int(ExitCode.RETRY), REASON, message, output=output)


def _was(ranks: Sequence[int]) -> str:
    return "was" if len(ranks) == 1 else "were"


@contextmanager
def limited(rank: LaunchedRank, node: str, seconds: float) -> Iterator[Callable[[str], None]]:
    """Whatever is done within ends in time, or this process does; yields what is told each part before it is done."""
    places = _Places(rank, node)
    places.begin("joining")
    over = threading.Event()
    thread = threading.Thread(target=_wait, args=(places, over, seconds), name="pre-flight", daemon=True)
    thread.start()
    try:
        yield places.begin
    finally:
        over.set()


def _wait(places: "_Places", over: threading.Event, seconds: float) -> None:
    if not over.wait(seconds):
        found = places.of_all()
        if not over.is_set():  # else it has come to its end after all
            faulthandler.dump_traceback()
            end_rank(places.rank, too_long(found, places.rank.world_size, seconds))


class _Places:
    """Where all ranks are, in the store that they met in; by a connection of its own, since the other may be in use."""

    def __init__(self, rank: LaunchedRank, node: str) -> None:
        from torch.distributed import TCPStore

        self.rank = rank
        self._place = Place(node, "joining")
        self._store: Any = TCPStore(
            os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False, timeout=STORE_TIMEOUT,
            wait_for_workers=False,
        )  # fmt: skip

    def begin(self, part: str) -> None:
        self._place = Place(self._place.node, part, answers=False)
        self._note()

    def of_all(self) -> dict[int, Place]:
        """By rank; of this one alone where the store is out of reach."""
        self._place = replace(self._place, answers=True)
        try:
            self._note()
            time.sleep(ANSWER_SECONDS)
            return self._read()
        except RuntimeError:  # the base of torch's errors of a store
            return {self.rank.rank: self._place}

    def _note(self) -> None:
        self._store.set(f"preflight/{self.rank.rank}", json.dumps(asdict(self._place)))

    def _read(self) -> dict[int, Place]:
        keys = {rank: f"preflight/{rank}" for rank in range(self.rank.world_size)}
        if not self._store.check([*keys.values()]):
            keys = {rank: key for rank, key in keys.items() if self._store.check([key])}
        found = self._store.multi_get([*keys.values()])
        return {rank: Place(**json.loads(text)) for rank, text in zip(keys, found, strict=True)}
