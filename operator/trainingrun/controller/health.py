"""Whether the operator still hears, works and thinks: each check a measure, a limit and a sentence."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

OLDEST_KEY_SECONDS: Final = 120.0
LAG_SECONDS: Final = 5.0
LAG_WINDOW: Final = 30.0  # how long a lag is remembered
TICK: Final = 0.5


@dataclass(frozen=True)
class Check:
    """One thing that must not grow above its limit, in seconds."""

    measure: Callable[[], float]
    limit: float
    sentence: str  # with {value} and {limit}

    def failure(self) -> str | None:
        """What is wrong, None where nothing is."""
        value = self.measure()
        return self.sentence.format(value=value, limit=self.limit) if value > self.limit else None


class Pulse:
    """How late the event loop is, and when the periodic pass was last started."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start now."""
        self._clock = clock
        self._lags: list[tuple[float, float]] = []
        self._period_at = clock()

    def monotonic(self) -> float:
        """Seconds on the clock that all of this is measured by."""
        return self._clock()

    def period_started(self) -> None:
        """The periodic pass over all runs has been started."""
        self._period_at = self._clock()

    def since_period(self) -> float:
        """Seconds since then."""
        return self._clock() - self._period_at

    def lag(self) -> float:
        """The longest time that the loop has been late by, of the last half minute."""
        since = self._clock() - LAG_WINDOW
        self._lags = [one for one in self._lags if one[0] >= since]
        return max((late for _, late in self._lags), default=0.0)

    async def beat(self) -> None:
        """Measure until cancelled."""
        while True:
            before = self._clock()
            await asyncio.sleep(TICK)
            now = self._clock()
            late = now - before - TICK
            if late > 0.05:
                self._lags.append((now, late))


class Health:
    """All checks; the first that fails is what the probe says."""

    def __init__(self, checks: tuple[Check, ...]) -> None:
        """Checks are made when they are asked for."""
        self._checks = checks

    def failures(self) -> list[str]:
        """What is wrong; empty where nothing is."""
        return [failure for check in self._checks if (failure := check.failure()) is not None]
