import hashlib
import json

import pytest

from trainingrun_workers.contract import DataSource, DataStage, Skip
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.pretrain.data_plan import DataPlan
from trainingrun_workers.pretrain.mixture import Mixture
from trainingrun_workers.pretrain.permutation import Permutation

BATCH = 8
WINDOWS = {"tokens/en": 101, "tokens/it": 37, "tokens/code": 900}


def source(name: str, weight: float) -> DataSource:
    return DataSource(name=name, folder=f"tokens/{name}", weight=weight)


def plan(*stages: DataStage, windows: dict[str, int] = WINDOWS, skips: tuple[Skip, ...] = ()) -> DataPlan:
    return DataPlan(stages, windows, BATCH, skips)


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


@pytest.mark.parametrize(
    ("skips", "digest"),
    [
        ((), "903226a6508e6e487eaa752ae77632808a287eedfdff15d3e031fead0264adb4"),
        ((Skip(7, 2), Skip(29, 30)), "4cd0f0f41fb46efc748d0320adc5d2bf6ae527f45ed5d82a338e4ce2d81bf644"),
    ],
)
def test_the_order_is_the_one_that_earlier_checkpoints_were_trained_in(skips: tuple[Skip, ...], digest: str) -> None:
    stages = (
        DataStage("broad", 1, 6, (source("web", 0.4), source("en", 0.4), source("it", 0.2))),
        DataStage("narrow", 31, 7, (source("it", 1.0), source("code", 3.0), source("it", 0.5), source("en", 0.0))),
    )
    order = plan(*stages, windows=WINDOWS | {"tokens/web": 1_000_003}, skips=skips)
    visited = [order.sample(number) for number in range(800)]

    assert hashlib.sha256(json.dumps(visited).encode()).hexdigest() == digest
    for first, end in ((0, 800), (3, 3), (5, 6), (7, 42), (230, 251), (236, 500)):
        assert list(order.samples(first, end)) == visited[first:end]


def test_data_stages_that_do_not_start_in_order_are_refused() -> None:
    with pytest.raises(BadConfig, match="step 1"):
        plan(DataStage("late", 2, 6, (source("en", 1.0),)))
    with pytest.raises(BadConfig, match="after the last"):
        plan(TWO_STAGES[0], TWO_STAGES[0])


def samples(order: DataPlan, step: int) -> list[tuple[str, int]]:
    return [order.sample(number) for number in range((step - 1) * BATCH, step * BATCH)]


def test_after_a_skip_the_data_of_so_many_steps_later_are_read() -> None:
    stage = DataStage("only", 1, 6, (source("en", 0.7), source("it", 0.3)))
    plain, skipped = plan(stage), plan(stage, skips=(Skip(10, 5), Skip(20, 3)))

    for step in (1, 10):
        assert samples(skipped, step) == samples(plain, step)
    for step in (11, 20):
        assert samples(skipped, step) == samples(plain, step + 5)
    for step in (21, 300):
        assert samples(skipped, step) == samples(plain, step + 8)


def test_a_skip_past_the_end_of_its_stage_leaves_out_just_the_rest_in_the_next() -> None:
    plain, skipped = plan(*TWO_STAGES), plan(*TWO_STAGES, skips=(Skip(28, 10),))
    left_out = {one for step in range(29, 39) for one in samples(plain, step) if one[0] == "tokens/code"}
    read = [one for step in range(29, 80) for one in samples(skipped, step)]

    assert left_out
    assert not left_out & {one for one in read if one[0] == "tokens/code"}
    assert samples(skipped, 29) != samples(plain, 29)


def test_a_skip_far_before_a_stage_takes_nothing_from_it() -> None:
    code = [one for one in TWO_STAGES if one.name == "narrow"][0].sources[1].folder
    plain, skipped = plan(*TWO_STAGES), plan(*TWO_STAGES, skips=(Skip(5, 10),))

    for step in range(31, 60):
        assert [one for one in samples(skipped, step) if one[0] == code] == [
            one for one in samples(plain, step) if one[0] == code
        ]


def test_a_skip_of_no_data_changes_none_of_them() -> None:
    plain, back = plan(*TWO_STAGES), plan(*TWO_STAGES, skips=(Skip(5, 0), Skip(30, 0)))
    assert [*back.samples(0, 200)] == [*plain.samples(0, 200)]
    assert back.consumed(40) == plain.consumed(40)


@pytest.mark.parametrize("skips", [(Skip(0, 4),), (Skip(7, 2), Skip(7, 2), Skip(29, 30)), (Skip(30, 7), Skip(44, 1))])
def test_what_is_consumed_is_what_was_trained_on_whatever_was_skipped(skips: tuple[Skip, ...]) -> None:
    order = plan(*TWO_STAGES, skips=skips)
    seen = dict.fromkeys(WINDOWS, 0)
    for step in range(70):
        assert order.consumed(step) == seen
        for folder, _ in samples(order, step + 1):
            seen[folder] += 1


def test_a_source_is_never_read_twice_within_an_epoch_whatever_is_skipped() -> None:
    windows = WINDOWS | {"tokens/it": 100_000}
    order = plan(*TWO_STAGES, windows=windows, skips=(Skip(5, 3), Skip(25, 20), Skip(40, 2)))
    visited = [window for folder, window in map(order.sample, range(60 * BATCH)) if folder == "tokens/it"]

    assert len(set(visited)) == len(visited)
