"""How often checkpoints are best written: the one place of the formula; standard library only."""

import math


def best_interval(save_seconds: float, seconds_between_failures: float) -> float:
    """Seconds of training between two checkpoints with which the least time is lost.

    `save_seconds` is how long training stands still for a checkpoint, `seconds_between_failures` the mean time between
    two failures of the whole gang. Daly's higher-order estimate, of which Young's sqrt(2·save·failures) is the first
    term: J. W. Young, "A first order approximation to the optimum checkpoint interval", CACM 17 (1974); J. T. Daly,
    "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22 (2006), equation 37. Where
    a save takes more than twice the time between failures nothing helps, and the estimate is that time. ValueError
    where either is not above 0.
    """
    if not (save_seconds > 0.0 and seconds_between_failures > 0.0):
        raise ValueError(
            f"A save of {save_seconds} s and {seconds_between_failures} s between failures give no interval: both must "
            "be above 0."
        )
    if save_seconds >= 2.0 * seconds_between_failures:
        return seconds_between_failures
    ratio = math.sqrt(save_seconds / (2.0 * seconds_between_failures))
    young = math.sqrt(2.0 * save_seconds * seconds_between_failures)
    return young * (1.0 + ratio / 3.0 + ratio * ratio / 9.0) - save_seconds
