"""A profile of some steps, made when somebody asks for it: a trace that Perfetto and chrome://tracing open.

The wish comes with the operator's answer to a report, in the file that rank 0's pod keeps. It is heard at the edge of
a step by all ranks together. The traces lie in `runs/<namespace>/<run>/profiles/<name>/rank-00000.json.gz`; source of
their format: `torch.profiler`, Chrome's Trace Event Format.
"""

import logging
import time
from pathlib import Path
from typing import Any, Final

from torch import profiler

from trainingrun_workers.contract import Profile
from trainingrun_workers.launched import Activity, LaunchedRank
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.reporting import read_answer
from trainingrun_workers.volume import make_folder

LOOK_SECONDS: Final = 1.0  # between two looks at the answer
WARM: Final = 1  # steps before those that are kept: the profiler's own first use takes its time
LOGGER: Final = logging.getLogger(__name__)


class Profiling:
    """Profiles once for each wish; every rank has one, and only rank 0 hears of wishes."""

    def __init__(
        self, answer: Path, attempt: int, folder: Path, rank: LaunchedRank, agreement: Agreement, cpu: bool
    ) -> None:
        self._answer, self._attempt, self._folder = answer, attempt, folder
        self._rank, self._agreement = rank, agreement
        self._activities = [profiler.ProfilerActivity.CPU]
        if not cpu:
            self._activities.append(profiler.ProfilerActivity.CUDA)
        self._wish: Profile | None = None
        self._done: set[str] = set()
        self._due = 0.0
        self._left = 0  # steps of the profile that goes on
        self._profiler: Any = None
        self._error: str | None = None

    def wanted(self) -> bool:
        """Whether a profile is to begin, as rank 0 knows; looks at the volume once a second at most."""
        if self._rank.rank or self._left or time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + LOOK_SECONDS
        answer = read_answer(self._answer)
        self._wish = wish = answer.profile if answer else None
        # The answer stays where it lies, over attempts too.
        return wish is not None and wish.attempt == self._attempt and wish.name not in self._done

    def begin(self) -> None:
        """Begin with the next step, on all ranks together."""
        self._wish = wish = self._agreement.from_rank_0(self._wish)
        assert wish is not None
        self._done.add(wish.name)
        self._left, self._error = WARM + wish.steps, None
        self._rank.report(now=True, activity="profiling")
        if wish.rank is not None and wish.rank >= self._rank.world_size:
            self._error = f"There is no rank {wish.rank}: the last one is {self._rank.world_size - 1}."
        if wish.rank is None or wish.rank == self._rank.rank:
            self._profiler = profiler.profile(
                activities=self._activities,
                schedule=profiler.schedule(wait=0, warmup=WARM, active=wish.steps, repeat=1),
                on_trace_ready=self._write,
                record_shapes=True,
            )
            self._profiler.start()

    def stepped(self, step: int) -> bool:
        """Count a step that is done; true where the profile is over with it, and all ranks have written theirs."""
        if not self._left:
            return False
        self._left -= 1
        if not self._left:
            self._rank.beat(step, Activity.SAVING)  # a trace of some hundred megabytes takes a while
        if self._profiler is not None:
            self._profiler.step()
        if self._left:
            return False
        self._end()
        self._rank.beat(step, Activity.TRAINING)
        return True

    def close(self) -> None:
        """Leave a profile that training has ended before."""
        if self._left:
            self._error = "Training ended before the profile was complete: ask for fewer steps."
            self._end()

    def _end(self) -> None:
        self._left = 0
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler = None
        errors = [one for one in self._agreement.of_all(self._error) if one]
        error = errors[0] if errors else None
        assert self._wish is not None
        self._rank.report(now=True, activity="training", profile=self._wish.name, profile_error=error)
        LOGGER.info("Profile %s: %s", self._wish.name, error or f"in {self._folder / self._wish.name}")

    def _write(self, made: Any) -> None:
        """Write the trace; a volume without room costs the profile and not the training."""
        if self._error:  # stopped before its time
            return
        assert self._wish is not None
        folder, name = self._folder / self._wish.name, f"rank-{self._rank.rank:05d}.json.gz"
        try:
            make_folder(folder)
            made.export_chrome_trace(str(folder / f"part-{name}"))
            (folder / f"part-{name}").rename(folder / name)
        except (OSError, RuntimeError) as error:
            self._error = f"Rank {self._rank.rank} could not write its trace to {folder}: {error}."
