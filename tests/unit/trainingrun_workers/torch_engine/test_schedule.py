"""The learning rate of a step: warm-up, plateau, decay, floor."""

from typing import Any

import pytest

from trainingrun_workers.torch_engine.schedule import learning_rate

SCHEDULE: dict[str, Any] = {
    "learning_rate": 1.0, "min_decay_lr": 0.1, "lr_warmup_steps": 10, "lr_warmup_style": "linear",
    "lr_decay_starting_step": 50, "lr_decay_steps": 40, "lr_decay_style": "linear",
}  # fmt: skip


@pytest.mark.parametrize(("done", "rate"), [(0, 0.0), (5, 0.5), (10, 1.0), (30, 1.0), (50, 1.0), (70, 0.55), (90, 0.1)])
def test_the_rate_warms_up_stays_decays_and_stays(done: int, rate: float) -> None:
    assert learning_rate(SCHEDULE, done) == pytest.approx(rate)


def test_a_cosine_is_half_way_in_the_middle_and_at_the_floor_in_the_end() -> None:
    cosine = SCHEDULE | {"lr_decay_style": "cosine"}
    assert learning_rate(cosine, 70) == pytest.approx(0.55)
    assert learning_rate(cosine, 60) > learning_rate(SCHEDULE, 60)
    assert learning_rate(cosine, 1000) == 0.1


def test_without_warm_up_and_decay_the_rate_stays() -> None:
    assert learning_rate(SCHEDULE | {"lr_warmup_steps": 0, "lr_decay_steps": 0}, 7) == 1.0
