"""Which rank of a gang that hangs is missing, and in which collective: read off what all pods have left. Pure.

A rank that waits for nobody, while others wait in a collective that it has not begun, is what they all wait for. Ranks
that wait in collectives of their own, of other groups for example, are held up themselves, and are not named for it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from trainingrun_workers.flight_recorder import Flight
from trainingrun_workers.hangs.dumps import PodDump, RankState
from trainingrun_workers.hangs.naming import capital, enumerated, listed, placed


@dataclass(frozen=True)
class Stand:
    """The oldest collective of a group that somebody waits in."""

    group: str  # "gloo 1": a recorder, and the group's name in torch
    number: int
    what: str  # "gloo:all_reduce 36": with its number
    waits: dict[int, str]  # what each rank that waits in the group waits in, by rank
    missing: frozenset[int]  # members that have not begun it, or did not say


@dataclass(frozen=True)
class Sight:
    """All that is known of a gang that hangs."""

    dumps: Mapping[int, PodDump | None]  # by the pods' places; None where what one left can't be read
    names: tuple[str, ...]  # of the nodes by the pods' places, "" where it is not known
    ranks_per_node: int

    def node(self, rank: int) -> str:
        """Where a rank is, in words."""
        place = rank // self.ranks_per_node
        dump = self.dumps.get(place)
        name = dump.name if dump else self.names[place]
        return f"on node {name}" if name else f"in the gang's pod {place}"

    @property
    def ranks(self) -> range:
        """All of the gang."""
        return range(len(self.names) * self.ranks_per_node)

    @cached_property
    def states(self) -> dict[int, RankState]:
        """Of the ranks whose pods tell of them."""
        return {rank: state for dump in self.dumps.values() if dump for rank, state in dump.ranks.items()}

    @cached_property
    def flights(self) -> dict[int, Flight]:
        """Of the ranks that have answered."""
        return {rank: state.flight for rank, state in sorted(self.states.items()) if state.flight}

    @cached_property
    def waiting(self) -> frozenset[int]:
        """Ranks that wait for others."""
        return frozenset(rank for rank, flight in self.flights.items() if flight.waits or flight.peers)

    @cached_property
    def unknown(self) -> frozenset[int]:
        """Ranks whose pod left nothing that can be read."""
        return frozenset(rank for rank in self.ranks if not self.dumps.get(rank // self.ranks_per_node))

    @cached_property
    def idle(self) -> frozenset[int]:
        """Ranks that wait for nobody, those among them that did not answer."""
        return frozenset(self.ranks) - self.waiting - self.unknown

    @cached_property
    def stands(self) -> list[Stand]:
        """Of each group in which ranks wait, in the order of the groups' names."""
        return [
            self._stand(group) for group in sorted({one for flight in self.flights.values() for one in flight.waits})
        ]

    def _stand(self, group: str) -> Stand:
        waits = {rank: flight.waits[group] for rank, flight in self.flights.items() if group in flight.waits}
        what = min(waits.values(), key=number_of)
        told = (flight.members[group] for flight in self.flights.values() if group in flight.members)
        members, number = next(told, self.ranks), number_of(what)
        missing = frozenset(rank for rank in members if self._begun(rank, group) < number)
        return Stand(group, number, what, waits, missing)

    def _begun(self, rank: int, group: str) -> int:
        return self.flights[rank].begun.get(group, 0) if rank in self.flights else 0


@dataclass(frozen=True)
class Finding:
    """What is to be said: `said` goes on with "for 600 s …", `more` ends the sentence, of `rank` is the step."""

    said: str
    rank: int | None
    more: str = ""


def find(sight: Sight) -> Finding:
    """The first of LOOKS that finds something; the last one always does."""
    return next(found for look in LOOKS if (found := look(sight)))


def number_of(what: str) -> int:
    """The number in a collective's name: 36 in gloo:all_reduce 36."""
    return int(what.rpartition(" ")[2])


def _at_odds(sight: Sight) -> Finding | None:
    """Ranks of one group that wait in different collectives of the same number: a fault of the program."""
    for stand in sight.stands:
        kinds = defaultdict(list)
        for rank, what in stand.waits.items():
            if number_of(what) == stand.number:
                kinds[what.rpartition(" ")[0]].append(rank)
        if len(kinds) > 1:
            fewest = sorted(kinds.items(), key=lambda one: (len(one[1]), one[0]))
            words = enumerated(f"{placed(ranks, sight.node)} in {kind}" for kind, ranks in fewest[:3])
            where = f"number {stand.number} of group {stand.group}"
            return Finding(f"Ranks came to different collectives as {where}, and waited: {words}", fewest[0][1][0])
    return None


def _absent(sight: Sight) -> Finding | None:
    """Ranks that wait for nobody, and which others wait for."""
    missed = [stand for stand in sight.stands if stand.missing & sight.idle]
    if not missed:
        return None
    absent = frozenset[int]().union(*(stand.missing & sight.idle for stand in missed))
    main = max(missed, key=lambda stand: len(stand.missing & sight.idle))
    what = main.what if absent <= main.missing else f"their groups' collectives, such as {main.what}"
    waiters = {rank for stand in missed for rank in stand.waits}
    mute = sorted(rank for rank in absent if rank not in sight.flights)
    more = f"; {listed(mute)} did not answer, as a process that is stopped or held up" if mute else ""
    said = f"{placed(absent, sight.node)} did not join {what}, in which {listed(waiters)} waited"
    return Finding(capital(said), _slowest(sight, absent), f"{more}{_and_unknown(sight)}")


def _unheard(sight: Sight) -> Finding | None:
    """Pods that left nothing, whose ranks others wait for."""
    missed = [stand for stand in sight.stands if stand.missing & sight.unknown]
    if not missed:
        return None
    main = max(missed, key=lambda stand: len(stand.missing & sight.unknown))
    waiters = {rank for stand in missed for rank in stand.waits}
    said = f"{_unknown(sight)}, while {listed(waiters)} waited in {main.what}"
    return Finding(capital(said), _slowest(sight, waiters))


def _idle(sight: Sight) -> Finding | None:
    """Ranks that wait for nobody while others wait for messages from one rank to another."""
    if not (sight.idle and sight.waiting):
        return None
    what = _wait(sight.flights[min(sight.waiting)])
    said = f"{placed(sight.idle, sight.node)} waited for nobody, while {listed(sight.waiting)} waited in {what}"
    return Finding(capital(said), _slowest(sight, sight.idle), _and_unknown(sight))


def _elsewhere(sight: Sight) -> Finding | None:
    """Ranks that wait for one another, each in a collective that the other has not begun."""
    for stand in sight.stands:
        if stand.missing:
            rank = min(stand.missing)
            waiters = placed(stand.waits, sight.node)
            said = (
                f"{waiters} waited in {stand.what} for {placed([rank], sight.node)}, which waited in "
                f"{_wait(sight.flights[rank])} instead"
            )
            return Finding(capital(said), _slowest(sight, stand.waits))
    return None


def _together(sight: Sight) -> Finding | None:
    """All that wait have come to the same place, and yet it does not end."""
    if not sight.waiting:
        return None
    said = f"{listed(sight.waiting)} waited in {_wait(sight.flights[min(sight.waiting)])}"
    more = "; nobody is missing in it, so that a GPU or the network between the nodes stands still"
    return Finding(capital(said), _slowest(sight, sight.waiting), f"{more}{_and_unknown(sight)}")


def _behind(sight: Sight) -> Finding:
    """Nothing is known of collectives: whoever ended the fewest steps, or was silent for longest."""
    rank = _slowest(sight, sight.states)
    silent = placed([rank], sight.node) if rank is not None else "the gang"
    said = f"{_unknown(sight)}, and {silent} was silent" if sight.unknown else f"{silent} was silent"
    return Finding(capital(said), rank)


LOOKS: Final = (_at_odds, _absent, _unheard, _idle, _elsewhere, _together, _behind)


def _slowest(sight: Sight, ranks: Mapping[int, object] | frozenset[int] | set[int]) -> int | None:
    known = [rank for rank in sorted(ranks) if rank in sight.states]
    return min(known, key=lambda one: (sight.states[one].step, -sight.states[one].silent), default=None)


def _wait(flight: Flight) -> str:
    return next(iter([*flight.waits.values(), *flight.peers]))


def _unknown(sight: Sight) -> str:
    torn = frozenset(rank for rank in sight.unknown if rank // sight.ranks_per_node in sight.dumps)
    words = []
    if sight.unknown - torn:
        words.append(f"{placed(sight.unknown - torn, sight.node)} left no dump")
    if torn:
        words.append(f"{placed(torn, sight.node)} left one that can't be read")
    return enumerated(words)


def _and_unknown(sight: Sight) -> str:
    return f"; {_unknown(sight)}" if sight.unknown else ""
