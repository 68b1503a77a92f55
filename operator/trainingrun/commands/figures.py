"""What runs have measured, off their volumes: the curves of stages that trained and the scores of their models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from trainingrun.commands.volume_visit import claim_of

if TYPE_CHECKING:
    from trainingrun.commands.volume_visit import Visit

TRAINED: Final = ("pretrain", "sft", "dpo", "cpt")  # kinds of stages that leave a curve
POINTS: Final = 2000  # of a line at most

Point = tuple[int, float, int | None]  # step, value, tokens up to there


@dataclass(frozen=True)
class Measured:
    """What one run has measured so far."""

    run: Mapping[str, Any]
    curves: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by stage: summary and series
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by stage: progression and models

    @property
    def name(self) -> str:
        """The run's name."""
        return str(self.run["metadata"]["name"])

    @property
    def status(self) -> Mapping[str, Any]:
        """The run's status."""
        return self.run.get("status") or {}

    def series(self, stage: str, key: str) -> list[Point]:
        """The points of a stage's curve."""
        found = (self.curves.get(stage) or {}).get("series") or {}
        return [(int(step), float(value), tokens) for step, value, tokens in found.get(key, ())]

    def summary(self, stage: str) -> Mapping[str, Any]:
        """The figures of a stage's curve; none where it has none."""
        return (self.curves.get(stage) or {}).get("summary") or {}

    def checkpoints(self) -> dict[int, dict[str, float]]:
        """The scores of the base model's checkpoints by step: all of them off the volume, or those of the status."""
        progression = (self.scores.get("evaluate") or {}).get("progression") or {}
        found = {one["step"]: one["scores"] for one in progression.get("steps") or ()}
        told = {one["step"]: one["scores"] for one in self.status.get("checkpoints") or () if one.get("scores")}
        return dict(sorted((told | found).items()))


def measured(runs: Sequence[Mapping[str, Any]], visit: Callable[[str], Visit]) -> list[Measured]:
    """What each run has measured; `visit` makes a visit to a claim, and is asked once for each."""
    found: dict[str, Measured] = {}
    with contextlib.ExitStack() as stack:
        for claim in dict.fromkeys(claim_of(run) for run in runs):
            mine = [run for run in runs if claim_of(run) == claim]
            curves, scores = _folders(mine, TRAINED), _folders(mine, ("evaluate",))
            if not curves and not scores:
                continue
            here = stack.enter_context(visit(claim))
            lines = here.document("curves", "--points", str(POINTS), "--", *curves) if curves else {}
            models = here.document("scores", "--", *scores) if scores else {}
            for run in mine:
                found[run["metadata"]["uid"]] = Measured(
                    run, _by_stage(run, TRAINED, lines), _by_stage(run, ("evaluate",), models)
                )
    return [found.get(run["metadata"]["uid"], Measured(run)) for run in runs]


def stages(run: Mapping[str, Any], kinds: Iterable[str]) -> list[Mapping[str, Any]]:
    """A run's stages of some kinds."""
    wanted = set(kinds)
    return [one for one in (run.get("status") or {}).get("stages") or () if one["kind"] in wanted]


def _folders(runs: Iterable[Mapping[str, Any]], kinds: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(one["folder"] for run in runs for one in stages(run, kinds) if one.get("folder")))


def _by_stage(run: Mapping[str, Any], kinds: Iterable[str], found: Mapping[str, Any]) -> dict[str, Any]:
    return {one["name"]: found[one["folder"]] for one in stages(run, kinds) if one.get("folder") in found}
