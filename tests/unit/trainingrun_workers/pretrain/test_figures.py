"""What is told of a gang's speed follows from its ranks' times and the model's shape."""

import pytest

from trainingrun_workers.contract import MEASURED
from trainingrun_workers.pretrain.figures import RankTimes, figures
from trainingrun_workers.pretrain.flops import TokenCost, peak

# The shape of the report's 0.4B model.
SHAPE = {
    "hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15,
    "num_key_value_heads": 5, "vocab_size": 128256,
}  # fmt: skip
COST = TokenCost.of(SHAPE, 4096)


def test_a_token_of_the_reports_model_costs_what_nanotron_counts() -> None:
    assert COST.full == pytest.approx(4.136e9, rel=1e-3)
    assert COST.full - COST.causal == pytest.approx(3 * 32 * 2 * 960 * 4096), "half of attention"
    alone = TokenCost.of(SHAPE | {"num_key_value_heads": None}, 4096)
    assert alone.full > COST.full, "as many heads of keys and values as of queries"


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("NVIDIA A100-SXM4-80GB", 312e12), ("NVIDIA A10", 125e12), ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756e12), ("NVIDIA H200", 989.4e12), ("NVIDIA H20", 148e12), ("NVIDIA B200", 2.25e15),
        ("NVIDIA L40S", 362.05e12), ("NVIDIA L4", 121e12), ("Tesla V100-SXM2-16GB", None),
        ("AMD Instinct MI300X", None),
    ],
)  # fmt: skip
def test_a_cards_peak_is_known_by_its_name_or_not_at_all(name: str, flops: float | None) -> None:
    assert peak(name) == flops


def test_figures_are_shares_of_a_step_and_the_worst_of_all_ranks() -> None:
    times = (RankTimes(2.0, 1.0, 0.1, 5e9, 6e9), RankTimes(2.0, 1.5, 0.3, 4e9, 7e9), RankTimes(2.0, 1.0, 0.2, 3e9, 3e9))
    told = figures(times, 3e5, COST, 312e12, cpu=False)

    assert set(told) <= set(MEASURED)
    assert told["tokens_per_second_per_rank"] == 1e5
    assert told["teraflops_per_rank"] == pytest.approx(413.6, rel=1e-3)
    assert told["mfu"] == pytest.approx(413.6 / 312, rel=1e-3)
    assert told["mfu_causal"] == pytest.approx(told["mfu"] * COST.causal / COST.full)
    assert (told["memory_allocated"], told["memory_reserved"]) == (5e9, 7e9)
    assert told["data_wait"] == pytest.approx(0.1)
    assert told["communication_wait"] == pytest.approx((0.5 + 0.25 + 0.5) / 3)
    assert told["step_spread"] == 1.5


def test_a_card_without_a_known_peak_has_no_share_of_it_and_no_step_has_no_figures() -> None:
    told = figures((RankTimes(2.0, 2.0, 0.0, 1e9, 0.0),), 10.0, COST, None, cpu=True)
    assert {"mfu", "mfu_causal", "memory_allocated", "memory_reserved"}.isdisjoint(told)
    assert (told["memory_resident"], told["step_spread"], told["communication_wait"]) == (1e9, 1.0, 0.0)
    assert figures((), 10.0, COST, None, cpu=True) == {}


def test_steps_that_are_over_at_once_or_all_waiting_have_no_shares() -> None:
    waited = figures((RankTimes(0.01, 0.0, 0.0, 1e9, 0.0),) * 3, 3e5, COST, None, cpu=True)
    assert "step_spread" not in waited
    assert waited["communication_wait"] == 1.0
    at_once = figures((RankTimes(0.0, 0.0, 0.0, 1e9, 0.0),), 3e5, COST, None, cpu=True)
    assert {"data_wait", "communication_wait", "step_spread"}.isdisjoint(at_once)
    assert at_once["memory_resident"] == 1e9
