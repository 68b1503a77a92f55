"""Waits that are counted from a time which another machine's clock may have told."""

from typing import Final

LONGEST_BACKOFF: Final = 300.0  # seconds that a stage waits between two attempts at most
SLACK: Final = 5.0  # by so much may clocks differ without cutting a wait short


def left(since: float, seconds: float, now: float) -> float:
    """How much is left of a wait of `seconds` that began at `since`; 0.0 once it is over.

    A wait that would last longer than it is meant to began in the future: the clocks disagree, nobody knows by how
    much, and to go on is better than to wait for as long as they do.
    """
    rest = since + seconds - now
    return rest if 0.0 < rest <= seconds + SLACK else 0.0
