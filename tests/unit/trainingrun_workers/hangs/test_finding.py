"""Who is missing in a collective is read off what the pods of a gang have left."""

import dataclasses

import pytest

from trainingrun.api.status import MAX_MESSAGE
from trainingrun_workers.flight_recorder import Flight
from trainingrun_workers.hangs.dumps import PodDump, RankState
from trainingrun_workers.hangs.finding import Finding, Sight, find

WORLD, TENSOR = "gloo 0", "nccl 3"


def at(
    number: int, *, waits: bool = True, group: str = WORLD, members: tuple[int, ...] = (),
    op: str = "gloo:all_reduce", step: int = 41, silent: float = 600.0,
) -> RankState:  # fmt: skip
    waited = {group: f"{op} {number}"} if waits else {}
    return RankState(step, "training", silent, Flight({group: number}, waited, {group: [*members]} if members else {}))


def both(one: RankState, other: RankState) -> RankState:
    """A rank of two groups."""
    first, second = one.flight, other.flight
    assert first
    assert second
    flight = Flight(first.begun | second.begun, first.waits | second.waits, first.members | second.members)
    return dataclasses.replace(one, flight=flight)


BUSY = at(7, waits=False)
MUTE = RankState(41, "training", 601.0)


def sight(*pods: list[RankState] | None, torn: tuple[int, ...] = (), names: tuple[str, ...] = ()) -> Sight:
    """A gang whose pods have told this of their two ranks each; None for one that has left nothing."""
    dumps: dict[int, PodDump | None] = dict.fromkeys(torn)
    names = names or tuple(f"gpu-{node}" for node in range(len(pods)))
    for node, states in enumerate(pods):
        if states is not None:
            dumps[node] = PodDump(node, names[node], {2 * node + place: one for place, one in enumerate(states)})
    return Sight(dumps, names, 2)


@pytest.mark.parametrize(
    ("seen", "said", "more"),
    [
        pytest.param(
            sight([at(8), at(8)], [at(8), BUSY]),
            "Rank 3 on node gpu-1 did not join gloo:all_reduce 8, in which ranks 0-2 waited", "",
            id="one-rank-is-behind"),
        pytest.param(
            sight([at(8), at(8)], [BUSY, BUSY], [at(8), at(8)]),
            "Ranks 2 and 3 on node gpu-1 did not join gloo:all_reduce 8, in which ranks 0, 1, 4 and 5 waited", "",
            id="all-ranks-of-a-node-are-behind"),
        pytest.param(
            sight([at(8), BUSY], [BUSY, at(8)]),
            "Rank 1 on node gpu-0 and rank 2 on node gpu-1 did not join gloo:all_reduce 8, in which ranks 0 and 3 "
            "waited", "", id="ranks-of-two-nodes-are-behind"),
        pytest.param(
            sight([at(8), at(8)], [at(8), MUTE]),
            "Rank 3 on node gpu-1 did not join gloo:all_reduce 8, in which ranks 0-2 waited",
            "; rank 3 did not answer, as a process that is stopped or held up", id="a-rank-is-stopped"),
        pytest.param(
            sight([at(8), at(8)], None, names=("gpu-0", "gpu-9")),
            "Ranks 2 and 3 on node gpu-9 left no dump, while ranks 0 and 1 waited in gloo:all_reduce 8", "",
            id="a-pod-is-missing"),
        pytest.param(
            sight([at(8), at(8)], None, names=("", "")),
            "Ranks 2 and 3 in the gang's pod 1 left no dump, while ranks 0 and 1 waited in gloo:all_reduce 8", "",
            id="a-pod-is-missing-before-the-ranks-had-met"),
        pytest.param(
            sight([at(8), at(8)], None, None, torn=(2,)),
            "Ranks 2 and 3 on node gpu-1 left no dump and ranks 4 and 5 on node gpu-2 left one that can't be read, "
            "while ranks 0 and 1 waited in gloo:all_reduce 8", "", id="a-dump-is-torn"),
        pytest.param(
            sight([at(8), BUSY], None),
            "Rank 1 on node gpu-0 did not join gloo:all_reduce 8, in which rank 0 waited",
            "; ranks 2 and 3 on node gpu-1 left no dump", id="what-is-certain-stands-before-what-is-not-known"),
        pytest.param(
            sight([at(8), at(8)], [at(8), at(8)]), "Ranks 0-3 waited in gloo:all_reduce 8",
            "; nobody is missing in it, so that a GPU or the network between the nodes stands still",
            id="all-are-at-the-same-place"),
        pytest.param(
            sight([at(8), at(8)], [at(8, op="gloo:broadcast"), at(8)]),
            "Ranks came to different collectives as number 8 of group gloo 0, and waited: rank 2 on node gpu-1 in "
            "gloo:broadcast and ranks 0 and 1 on node gpu-0 and rank 3 on node gpu-1 in gloo:all_reduce", "",
            id="different-collectives-of-one-group"),
        pytest.param(
            sight([at(8), at(8)], [at(8), both(at(7, waits=False), at(5, group=TENSOR, members=(2, 3)))]),
            "Ranks 0 and 1 on node gpu-0 and rank 2 on node gpu-1 waited in gloo:all_reduce 8 for rank 3 on node "
            "gpu-1, which waited in gloo:all_reduce 5 instead", "", id="each-waits-for-the-other"),
        pytest.param(
            # 3 is away; 2 waits for it in their own group, so that 0 and 1 wait for 2 in vain as well.
            sight([at(8), at(8)], [both(BUSY, at(5, group=TENSOR, members=(2, 3))), BUSY]),
            "Rank 3 on node gpu-1 did not join gloo:all_reduce 8, in which ranks 0-2 waited", "",
            id="who-is-held-up-is-not-named-for-it"),
        pytest.param(
            sight([at(8, members=(0, 2)), at(9, group=TENSOR, members=(1, 3))], [BUSY, BUSY]),
            "Ranks 2 and 3 on node gpu-1 did not join their groups' collectives, such as gloo:all_reduce 8, in which "
            "ranks 0 and 1 waited", "", id="a-node-is-away-from-several-groups"),
        pytest.param(
            sight([RankState(41, "training", 600.0, Flight(peers=["nccl:recv 0<-1"])), BUSY]),
            "Rank 1 on node gpu-0 waited for nobody, while rank 0 waited in nccl:recv 0<-1", "",
            id="a-message-from-one-rank-to-another"),
        pytest.param(
            sight([BUSY, BUSY], [BUSY, at(7, waits=False, step=40)]), "Rank 3 on node gpu-1 was silent", "",
            id="nobody-waits"),
        pytest.param(
            sight([MUTE, MUTE], None),
            "Ranks 2 and 3 on node gpu-1 left no dump, and rank 0 on node gpu-0 was silent", "",
            id="nothing-is-known-of-collectives"),
    ],
)  # fmt: skip
def test_who_is_missing_is_named(seen: Sight, said: str, more: str) -> None:
    found = find(seen)
    assert (found.said, found.more) == (said, more)


def test_the_step_is_that_of_the_rank_that_is_missing() -> None:
    found = find(sight([at(8), at(8)], [at(8), at(7, waits=False, step=40)]))
    assert found.rank == 3
    assert find(sight([at(8), at(8, silent=700.0)], None)).rank == 1, "of those that wait, where nothing is known of it"
    assert find(sight(None, None)) == Finding(
        "Ranks 0 and 1 on node gpu-0 and ranks 2 and 3 on node gpu-1 left no dump, and the gang was silent", None
    )


def test_a_large_gang_is_told_of_in_a_sentence_that_the_status_takes() -> None:
    names = tuple(f"gpu-{node:03d}-{'x' * 56}" for node in range(128))
    pods = [[at(8), BUSY] if node % 3 else None for node in range(128)]
    found = find(sight(*pods, names=names))
    assert found.said.startswith("Rank 3 on node gpu-001-xxx")
    assert "and 82 more ranks on 82 more nodes did not join" in found.said
    assert "in which ranks 2, 4, 8, 10, 14, 16 and 79 more waited" in found.said
    assert "; ranks 0 and 1 on node gpu-000-xxx" in found.more
    assert len(found.said + found.more) < MAX_MESSAGE - 200, "what the rest of the sentence takes, and a path"
