"""The learning rate as a pure function of the step: nanotron's warm-up, plateau, decay and floor."""

import math
from typing import Any


def learning_rate(schedule: dict[str, Any], steps_done: int) -> float:
    """The rate of the step after `steps_done`, by the keys of nanotron's `learning_rate_scheduler`.

    The formula is nanotron 0.4's (`helpers.lr_scheduler_builder`), so that either engine trains at the same rates; with
    a plateau before `lr_decay_starting_step` it is warmup–stable–decay.
    """
    peak, floor = schedule["learning_rate"], schedule["min_decay_lr"]
    warmup, start, length = (schedule[name] for name in ("lr_warmup_steps", "lr_decay_starting_step", "lr_decay_steps"))
    if warmup == 0 and length == 0:
        return float(peak)
    if steps_done <= warmup:
        share = steps_done / max(warmup, 1) if schedule["lr_warmup_style"] == "linear" else 1.0
        return float(peak * share)
    if steps_done < start:
        return float(peak)
    if steps_done < start + length:
        gone = (steps_done - start) / length
        left = 1 - gone if schedule["lr_decay_style"] == "linear" else (1 + math.cos(math.pi * gone)) / 2
        return float(floor + (peak - floor) * left)
    return float(floor)
