"""Any number of ranks shares the sequences of a step, each of them once."""

import pytest

from trainingrun_workers.torch_engine.shares import share


@pytest.mark.parametrize(("of", "ranks", "micro"), [(256, 64, 4), (256, 56, 4), (8, 3, 2), (7, 7, 4), (9, 2, 4)])
def test_each_sequence_is_one_ranks_and_all_ranks_meet_as_often(of: int, ranks: int, micro: int) -> None:
    shares = [share(of, ranks, rank, micro) for rank in range(ranks)]
    assert [one for each in shares for one in range(each.offset, each.offset + each.sequences)] == list(range(of))
    assert max(one.sequences for one in shares) - min(one.sequences for one in shares) <= 1
    assert len({one.micro_batches for one in shares}) == 1
    for one in shares:
        rows = [one.rows(number, micro) for number in range(one.micro_batches)]
        assert sum(rows) == one.sequences
        assert max(rows) <= micro


def test_a_rank_that_has_too_few_ends_with_micro_batches_of_nothing() -> None:
    last = share(9, 2, 1, 4)
    assert (last.sequences, last.micro_batches, [last.rows(number, 4) for number in range(2)]) == (4, 2, [4, 0])
