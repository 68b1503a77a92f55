"""Which window each sample of the whole run is: a pure function of the sample's number, of any number of ranks.

Within a data stage `mixture` chooses the source; each source is read in a pseudo-random order, epoch after epoch, and
goes on where the stage before has left it. So nothing about the data has to be saved in a checkpoint.

Data that are skipped count as read: from the step after a skip on, the stage's samples are those of so many steps
later. Of a skip that reaches past its stage's end, the stages after it leave out what it has in them.
"""

import bisect
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from trainingrun_workers.contract import DataSource, DataStage, Skip
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.pretrain.mixture import Mixture
from trainingrun_workers.pretrain.permutation import Permutation

_FIRST_STEP: Final = 1


class DataPlan:
    """The order of all samples that are trained on, given each token folder's number of windows by its path."""

    def __init__(
        self, stages: Sequence[DataStage], windows: Mapping[str, int], batch_samples: int, skips: Sequence[Skip] = ()
    ) -> None:
        if not stages or stages[0].start_step != _FIRST_STEP:
            raise BadConfig("BadDataStages", "The first data stage must start at step 1.")
        starts = [stage.start_step for stage in stages]
        if starts != sorted(set(starts)):
            raise BadConfig(
                "BadDataStages", f"The data stages start at steps {starts}: each must start after the last."
            )
        self._stages = tuple(stages)
        self._windows = windows
        self._skips = tuple(skips)
        self._firsts = [(start - _FIRST_STEP) * batch_samples for start in starts]
        self._batch = batch_samples
        self._mixtures = [Mixture([one.weight for one in stage.sources], stage.seed) for stage in stages]
        self._seeds = {one.folder: stage.seed for stage in reversed(stages) for one in stage.sources}
        self._before = self._consumed_before_each()
        self._permutation = functools.lru_cache(4 * len(self._seeds))(self._make_permutation)

    def sample(self, number: int) -> tuple[str, int]:
        """The token folder's path and the window in it of the run's sample `number`, counted from 0."""
        return next(self.samples(number, number + 1))

    def samples(self, first: int, end: int) -> Iterator[tuple[str, int]]:
        """`sample` of the numbers from `first` to before `end`, for much less work than one by one."""
        while first < end:
            edge = min(end, (first // self._batch + 1) * self._batch)
            yield from self._of_one_step(first, edge)
            first = edge

    def consumed(self, steps: int) -> dict[str, int]:
        """How many samples the first `steps` steps train on of each token folder, by its path; skipped ones are not."""
        taken: Counter[str] = Counter()
        edges = {0, steps, *(first // self._batch for first in self._firsts), *(skip.step for skip in self._skips)}
        inside = sorted(edge for edge in edges if edge <= steps)
        for start, end in zip(inside, inside[1:], strict=False):  # nothing is skipped within such a stretch
            taken += self._between(start * self._batch, end * self._batch)
        return {folder: taken[folder] for folder in self._seeds}

    def sources(self) -> dict[str, DataSource]:
        """Each token folder's source, by the folder's path, in the order of the stages."""
        return {one.folder: one for stage in reversed(self._stages) for one in stage.sources}

    def _of_one_step(self, first: int, end: int) -> Iterator[tuple[str, int]]:
        # They lie in one stage with no skip between them, so each source goes on from its own place, window by window.
        stage = bisect.bisect_right(self._firsts, first) - 1
        local = self._local(stage, first)
        folders = [one.folder for one in self._stages[stage].sources]
        following = self._before[stage] + self._taken(stage, local)
        for place in self._mixtures[stage].sources(local, local + end - first):
            folder = folders[place]
            epoch, index = divmod(following[folder], self._windows[folder])
            following[folder] += 1
            yield folder, self._permutation(folder, epoch)[index]

    def _local(self, stage: int, number: int) -> int:
        """The place of a sample of the run within its data stage, past what is skipped there."""
        started = self._stages[stage].start_step - _FIRST_STEP
        step = number // self._batch + _FIRST_STEP
        past = (skip.steps - max(started - skip.step, 0) for skip in self._skips if skip.step < step)
        return number - self._firsts[stage] + self._batch * sum(steps for steps in past if steps > 0)

    def _between(self, first: int, end: int) -> Counter[str]:
        """What the samples from `first` to before `end` take, which lie in one stage with no skip between them."""
        stage = bisect.bisect_right(self._firsts, first) - 1
        place = self._local(stage, first)
        taken = self._taken(stage, place + end - first)
        taken.subtract(self._taken(stage, place))
        return taken

    def _taken(self, stage: int, samples: int) -> Counter[str]:
        taken: Counter[str] = Counter()  # one folder may stand in a stage twice, under two weights
        for place, source in enumerate(self._stages[stage].sources):
            taken[source.folder] += self._mixtures[stage].count(place, samples)
        return taken

    def _consumed_before_each(self) -> list[Counter[str]]:
        before: list[Counter[str]] = [Counter()]
        for stage, following in enumerate(self._firsts[1:]):
            before.append(before[-1] + self._taken(stage, self._local(stage, following - 1) + 1))
        return before

    def _make_permutation(self, folder: str, epoch: int) -> Permutation:
        name = self.sources()[folder].name
        return Permutation(self._windows[folder], f"{self._seeds[folder]}/{name}/{epoch}")
