"""When to save next where the run leaves it to what is measured."""

from typing import Final

from trainingrun_workers.pretrain.interval import best_interval

SHORTEST_SAVE: Final = 1e-3  # seconds; a clock may have seen none


class SaveRhythm:
    """The step of the next save, chosen anew after each; `every` steps after where training begins for the first."""

    def __init__(self, every: int, step: int, seconds_between_failures: float) -> None:
        self._seconds_between_failures = seconds_between_failures
        self.next_step = step + every

    def choose(self, step: int, save_seconds: float, step_seconds: float) -> int:
        """The step to save next after one that was saved at `step`; as before where no step has been timed."""
        if step_seconds > 0:
            seconds = best_interval(max(save_seconds, SHORTEST_SAVE), self._seconds_between_failures)
            self.next_step = step + max(round(seconds / step_seconds), 1)
        return self.next_step
