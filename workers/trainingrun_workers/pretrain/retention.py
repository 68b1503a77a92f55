"""Which checkpoints are kept: a pure rule, so that it can be read and tested on its own."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

from trainingrun_workers.contract import Answer, PretrainSpec


@dataclass(frozen=True)
class Retention:
    """The newest `keep_last`, every step that `keep_every` divides, those of `keep`, what is due and not converted."""

    keep_last: int
    keep_every: int | None
    evaluate_every: int | None
    total_steps: int
    converts: bool
    keep: tuple[int, ...] = ()

    @classmethod
    def of(cls, spec: PretrainSpec) -> "Retention":
        """The rule of a stage."""
        return cls(
            keep_last=max(spec.keep_last, 1),
            keep_every=spec.keep_every,
            evaluate_every=spec.evaluate_every,
            total_steps=spec.total_steps,
            converts=spec.converted is not None,
        )

    def updated(self, answer: Answer) -> "Retention":
        """The rule as the operator has it now."""
        return dataclasses.replace(
            self, keep_last=max(answer.keep_last, 1), keep_every=answer.keep_every or None, keep=answer.keep
        )

    def due(self, step: int) -> bool:
        """Whether a model is wanted of this step: the untrained one, every evaluated one and the final one."""
        if not self.converts:
            return False
        return step == self.total_steps or (self.evaluate_every is not None and step % self.evaluate_every == 0)

    def kept(self, step: int, steps: Collection[int], converted: Collection[int]) -> bool:
        """Whether the checkpoint of a step stays, given all steps there and those already converted."""
        if step in self.keep or step in sorted(steps)[-self.keep_last :]:
            return True
        if self.keep_every is not None and step % self.keep_every == 0:
            return True
        return self.due(step) and step not in converted

    def removable(self, steps: Collection[int], converted: Collection[int]) -> tuple[int, ...]:
        """The steps whose checkpoints can go, ascending."""
        return tuple(step for step in sorted(steps) if not self.kept(step, steps, converted))
