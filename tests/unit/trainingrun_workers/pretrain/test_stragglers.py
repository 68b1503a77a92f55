"""Who holds all others up is named, once, and nobody else."""

from collections.abc import Sequence

from trainingrun_workers.pretrain.stragglers import Stragglers


class Gang:
    """A gang whose ranks take so many seconds for a step; a line of the curve every ten steps, two seconds apart."""

    def __init__(self, ranks: int) -> None:
        self.now, self.step, self.said = 0.0, 1, list[str]()
        self.stragglers = Stragglers([f"gpu-{rank // 2}" for rank in range(ranks)], lambda: self.now)

    def lines(self, count: int, own: Sequence[float], seconds: float = 2.0) -> list[str]:
        """What is said while so many lines are written."""
        before = len(self.said)
        for _ in range(count):
            self.now += seconds
            for said in self.stragglers.add(self.step, own):
                self.said.extend(said)
            self.step += 10
        return self.said[before:]


def test_a_slow_rank_is_named_with_its_node_once_and_no_more_when_it_recovers() -> None:
    gang = Gang(4)
    assert gang.lines(6, (1.0, 1.1, 1.0, 0.9)) == []
    slow = (1.0, 1.0, 1.0, 1.6)
    said = gang.lines(20, slow)
    assert said == [
        "Rank 3 on node gpu-1 takes 1.6 times as long as the others for its own work (since step 61): look at that "
        "node's clocks, cooling and access to the volume."
    ]
    assert gang.stragglers.notes() == tuple(said)
    assert gang.stragglers.named() == ({"rank": 3, "node": "gpu-1", "times": 1.6, "since": 61},)
    assert gang.lines(20, (1.0, 1.0, 1.0, 1.0)) == ["Rank 3 on node gpu-1 is as fast as the others again."]
    assert gang.stragglers.notes() == ()
    assert len(gang.lines(20, slow)) == 1, "named anew"


def test_one_long_pause_names_nobody() -> None:
    gang = Gang(4)
    gang.lines(6, (1.0, 1.0, 1.0, 1.0))
    assert gang.lines(1, (1.0, 30.0, 1.0, 1.0)) == gang.lines(10, (1.0, 1.0, 1.0, 1.0)) == []


def test_nobody_is_named_within_ten_seconds_however_many_lines_there_are() -> None:
    gang = Gang(2)
    assert gang.lines(90, (1.0, 2.0), seconds=0.1) == []
    assert len(gang.lines(20, (1.0, 2.0), seconds=0.1)) == 1


def test_what_all_ranks_share_names_nobody_and_of_many_slow_ones_three_are_named() -> None:
    gang = Gang(16)
    assert gang.lines(10, [5.0] * 16) == []
    assert len(gang.lines(20, [1.0] * 10 + [2.0] * 6)) == 3


def test_a_rank_alone_is_compared_with_nobody() -> None:
    assert Gang(1).lines(20, (1.0,)) == []
