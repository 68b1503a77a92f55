"""Which window each sample of the whole run is: a pure function of the sample's number, of any number of ranks.

Within a data stage `mixture` chooses the source; each source is read in a pseudo-random order, epoch after epoch, and
goes on where the stage before has left it. So nothing about the data has to be saved in a checkpoint.
"""

import bisect
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from trainingrun_workers.contract import DataSource, DataStage
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.pretrain.mixture import Mixture
from trainingrun_workers.pretrain.permutation import Permutation

_FIRST_STEP: Final = 1


class DataPlan:
    """The order of all samples, given each token folder's number of windows by its path."""

    def __init__(self, stages: Sequence[DataStage], windows: Mapping[str, int], batch_samples: int) -> None:
        if not stages or stages[0].start_step != _FIRST_STEP:
            raise BadConfig("BadDataStages", "The first data stage must start at step 1.")
        starts = [stage.start_step for stage in stages]
        if starts != sorted(set(starts)):
            raise BadConfig(
                "BadDataStages", f"The data stages start at steps {starts}: each must start after the last."
            )
        self._stages = tuple(stages)
        self._windows = windows
        self._firsts = [(start - _FIRST_STEP) * batch_samples for start in starts]
        self._batch = batch_samples
        self._mixtures = [Mixture([one.weight for one in stage.sources], stage.seed) for stage in stages]
        self._seeds = {one.folder: stage.seed for stage in reversed(stages) for one in stage.sources}
        self._before = self._consumed_before_each()
        self._permutation = functools.lru_cache(4 * len(self._seeds))(self._make_permutation)

    def sample(self, number: int) -> tuple[str, int]:
        """The token folder's path and the window in it of the run's sample `number`, counted from 0."""
        stage = bisect.bisect_right(self._firsts, number) - 1
        mixture, local = self._mixtures[stage], number - self._firsts[stage]
        place = mixture.source(local)
        source = self._stages[stage].sources[place]
        position = self._before[stage][source.folder] + self._earlier(stage, place, local)
        epoch, index = divmod(position, self._windows[source.folder])
        return source.folder, self._permutation(source.folder, epoch)[index]

    def consumed(self, steps: int) -> dict[str, int]:
        """How many samples the first `steps` steps take from each token folder, by its path."""
        samples = steps * self._batch
        stage = max(bisect.bisect_left(self._firsts, samples) - 1, 0)
        taken = self._before[stage] + self._taken(stage, samples - self._firsts[stage])
        return {folder: taken[folder] for folder in self._seeds}

    def sources(self) -> dict[str, DataSource]:
        """Each token folder's source, by the folder's path, in the order of the stages."""
        return {one.folder: one for stage in reversed(self._stages) for one in stage.sources}

    def _earlier(self, stage: int, place: int, local: int) -> int:
        # One folder may stand in a stage twice, under two weights.
        folder = self._stages[stage].sources[place].folder
        twins = (i for i, one in enumerate(self._stages[stage].sources) if one.folder == folder)
        return sum(self._mixtures[stage].count(twin, local) for twin in twins)

    def _taken(self, stage: int, samples: int) -> Counter[str]:
        taken: Counter[str] = Counter()
        for place, source in enumerate(self._stages[stage].sources):
            taken[source.folder] += self._mixtures[stage].count(place, samples)
        return taken

    def _consumed_before_each(self) -> list[Counter[str]]:
        before: list[Counter[str]] = [Counter()]
        for stage, (first, following) in enumerate(zip(self._firsts, self._firsts[1:], strict=False)):
            before.append(before[-1] + self._taken(stage, following - first))
        return before

    def _make_permutation(self, folder: str, epoch: int) -> Permutation:
        name = self.sources()[folder].name
        return Permutation(self._windows[folder], f"{self._seeds[folder]}/{name}/{epoch}")
