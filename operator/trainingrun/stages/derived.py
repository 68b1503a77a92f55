"""What follows from a run's spec alone, worked out once for the passes that follow each other over one spec."""

from collections import OrderedDict
from functools import cached_property
from typing import Final

from trainingrun.api.licences import licence_notes
from trainingrun.api.notes import Note
from trainingrun.api.rules import violations
from trainingrun.api.training_run import TrainingRun
from trainingrun.stages.instances import Instance, instances
from trainingrun.stages.layout import Place, places
from trainingrun.stages.translated import Translated, translated


class Derived:
    """What a spec says of the stages; nobody may change it, since several passes share it."""

    def __init__(self, run: TrainingRun) -> None:
        """Nothing is worked out before it is asked for."""
        self.run = run

    @cached_property
    def translated(self) -> Translated:
        """The engines' configurations."""
        return translated(self.run)

    @cached_property
    def places(self) -> dict[str, Place]:
        """The place of every stage, by name."""
        return places(self.run, self.translated)

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """Every stage, in order."""
        return instances(self.run.spec)

    @cached_property
    def problems(self) -> tuple[Note, ...]:
        """Broken rules first, then what licences and the translation of the engines' configurations have to say."""
        return (*violations(self.run), *licence_notes(self.run.spec), *self.translated.notes)


REMEMBERED: Final = 16  # a few more than there are passes at once
_recent: OrderedDict[int, Derived] = OrderedDict()  # by the identity of the run's spec


def derived(run: TrainingRun) -> Derived:
    """What follows from a run's spec and name; the same object for passes over one spec in a row."""
    known = _recent.get(id(run.spec))
    if known is not None and known.run.spec is run.spec and known.run.metadata.name == run.metadata.name:
        return known
    made = _recent[id(run.spec)] = Derived(run)
    while len(_recent) > REMEMBERED:
        _recent.popitem(last=False)
    return made
