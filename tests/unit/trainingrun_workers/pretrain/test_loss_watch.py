import random
from pathlib import Path

from trainingrun_workers.claim import Claim
from trainingrun_workers.pretrain.curve import Curve
from trainingrun_workers.pretrain.loss_watch import LossWatch


def test_a_loss_far_above_the_median_is_a_spike() -> None:
    watch = LossWatch(1.5, [2.0] * 20)

    assert not watch.is_spike(3.0)
    assert watch.is_spike(3.01)


def test_nothing_is_a_spike_before_twenty_losses_are_known() -> None:
    watch = LossWatch(1.5, [2.0] * 19)
    assert not watch.is_spike(1000.0)

    watch.add(2.0)
    assert watch.is_spike(1000.0)


def test_only_the_last_hundred_count() -> None:
    assert LossWatch(1.5, [10.0] * 500 + [2.0] * 51).limit() == 3.0
    assert LossWatch(1.5, [10.0] * 500 + [2.0] * 49).limit() == 15.0


def test_a_resumed_watch_judges_as_one_that_was_never_interrupted(tmp_path: Path) -> None:
    claim, draw = Claim(tmp_path, "uid", 1), random.Random(1)
    claim.take()
    losses = [8 / (1 + step) + draw.random() for step in range(150)]
    curve, watch = Curve(claim, 0), LossWatch(1.5, ())
    for step, loss in enumerate(losses, 1):
        curve.add({"step": step, "loss": loss})
        watch.add(loss)
        if step == 120:
            at_120 = watch.limit()
    curve.close()
    resumed = Curve(claim, 120)
    resumed.close()

    assert LossWatch(1.5, resumed.losses).limit() == at_120
