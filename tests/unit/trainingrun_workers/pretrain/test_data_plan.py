import pytest

from trainingrun_workers.contract import DataSource, DataStage
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.pretrain.data_plan import DataPlan
from trainingrun_workers.pretrain.mixture import Mixture
from trainingrun_workers.pretrain.permutation import Permutation

BATCH = 8
WINDOWS = {"tokens/en": 101, "tokens/it": 37, "tokens/code": 900}


def source(name: str, weight: float) -> DataSource:
    return DataSource(name=name, folder=f"tokens/{name}", weight=weight)


def plan(*stages: DataStage, windows: dict[str, int] = WINDOWS) -> DataPlan:
    return DataPlan(stages, windows, BATCH)


TWO_STAGES = (
    DataStage("broad", 1, 6, (source("en", 0.7), source("it", 0.3))),
    DataStage("narrow", 31, 7, (source("it", 1.0), source("code", 3.0))),
)


@pytest.mark.parametrize("size", [1, 2, 3, 17, 64, 65, 1000, 4097])
def test_a_permutation_visits_each_entry_once(size: int) -> None:
    order = Permutation(size, "key")

    assert sorted(order[i] for i in range(size)) == list(range(size))


def test_a_permutation_differs_with_its_key_and_is_no_identity() -> None:
    one, other = ([Permutation(1000, key)[i] for i in range(1000)] for key in ("6/en/0", "6/en/1"))

    assert sum(a == b for a, b in zip(one, other, strict=True)) < 20
    assert sum(a == i for i, a in enumerate(one)) < 20


def test_a_permutation_of_a_trillion_entries_answers_at_once() -> None:
    order = Permutation(10**12, "key")

    assert len({order[i] for i in range(1000)}) == 1000
    assert all(0 <= order[10**12 - 1 - i] < 10**12 for i in range(100))


def test_a_permutation_refuses_what_lies_outside() -> None:
    with pytest.raises(IndexError):
        Permutation(10, "key")[10]
    with pytest.raises(ValueError, match="at least one"):
        Permutation(0, "key")


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.3, 0.2], [1e-4, 1.0], [3.0, 0.0, 1.0]])
@pytest.mark.parametrize("seed", [0, 6])
def test_the_count_of_a_mixture_is_what_visiting_it_gives(weights: list[float], seed: int) -> None:
    mixture = Mixture(weights, seed)
    seen = [0] * len(weights)
    for sample in range(500):
        assert [mixture.count(i, sample) for i in range(len(weights))] == seen
        seen[mixture.source(sample)] += 1


def test_each_batch_of_a_mixture_has_nearly_the_asked_shares() -> None:
    weights = [0.6, 0.3, 0.1]
    mixture = Mixture(weights, 6)

    for batch in range(100):
        for place, weight in enumerate(weights):
            share = mixture.count(place, 64 * (batch + 1)) - mixture.count(place, 64 * batch)
            assert abs(share - 64 * weight) < 3


def test_a_mixture_counts_a_trillion_samples_at_once() -> None:
    mixture = Mixture([0.15, 0.85], 6)

    assert abs(mixture.count(0, 10**12) - 15 * 10**10) < 50
    assert mixture.count(0, 10**12) + mixture.count(1, 10**12) == 10**12


def test_a_mixture_without_weights_is_refused() -> None:
    for weights in ([], [0.0], [-1.0, 2.0]):
        with pytest.raises(ValueError, match="positive"):
            Mixture(weights, 0)


def test_an_epoch_visits_each_window_once_and_the_next_one_in_another_order() -> None:
    order = plan(DataStage("only", 1, 6, (source("en", 1.0),)))
    first = [order.sample(n)[1] for n in range(101)]
    second = [order.sample(n)[1] for n in range(101, 202)]

    assert sorted(first) == sorted(second) == list(range(101))
    assert first != second


def test_what_is_consumed_is_what_visiting_the_samples_gives_in_every_stage() -> None:
    order = plan(*TWO_STAGES)
    seen = dict.fromkeys(WINDOWS, 0)
    for step in range(60):
        assert order.consumed(step) == seen
        for number in range(step * BATCH, (step + 1) * BATCH):
            seen[order.sample(number)[0]] += 1


def test_a_source_goes_on_in_the_next_stage_where_it_was_left() -> None:
    windows = WINDOWS | {"tokens/it": 100_000}
    order = plan(*TWO_STAGES, windows=windows)
    visited = [window for folder, window in map(order.sample, range(60 * BATCH)) if folder == "tokens/it"]

    assert len(visited) > 100
    assert len(set(visited)) == len(visited)


def test_a_folder_that_stands_in_a_stage_twice_is_still_read_once_an_epoch() -> None:
    order = plan(DataStage("twins", 1, 6, (source("en", 1.0), source("en", 2.0))))

    assert sorted(order.sample(n)[1] for n in range(101)) == list(range(101))


def test_data_stages_that_do_not_start_in_order_are_refused() -> None:
    with pytest.raises(BadConfig, match="step 1"):
        plan(DataStage("late", 2, 6, (source("en", 1.0),)))
    with pytest.raises(BadConfig, match="after the last"):
        plan(TWO_STAGES[0], TWO_STAGES[0])
