"""Profiles that people ask for: what of them reaches the gang, by the answer to its reports.

The wish is the last one that was asked of the run (`plan.asked`), and holds for the attempt that trained at that time:
its number is in what was answered, which stands in the status.
"""

import re
from typing import Final

from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.plan.draft import Draft
from trainingrun_workers.contract import Profile

PROFILE: Final = "profile"
MAX_STEPS: Final = 100
ASKED: Final = re.compile(rf"{PROFILE} (\d{{1,4}}) (all|\d{{1,6}}) ([0-9T:.Z-]{{1,40}})")
STAGE: Final = "pretrain"


def read(asked: str | None, attempt: int) -> Profile | None:
    """The profile that an attempt is asked for, named by the time of the asking; None where it is something else."""
    found = ASKED.fullmatch(asked or "")
    if found is None:
        return None
    rank = None if found[2] == "all" else int(found[2])
    return Profile(found[3].replace(":", "-").strip("."), attempt, int(found[1]), rank)


def answer(draft: Draft, asked: str) -> str:
    """What whoever asks is told; the gang hears of it with its next report."""
    stage = draft.stages[STAGE]
    wish = read(asked, stage.attempt)
    refusal = _refusal(draft, wish, stage)
    if wish is None or refusal is not None:
        return f"Nothing was done: {refusal}"
    return _accepted(wish)


def wanted(status: TrainingRunStatus, attempt: int) -> Profile | None:
    """The profile that an attempt of the pretrain stage is to make, if it has not made it before."""
    wish = read(status.asked, attempt)
    return wish if wish is not None and status.answer == _accepted(wish) else None


def _accepted(wish: Profile) -> str:
    ranks = "all ranks" if wish.rank is None else f"rank {wish.rank}"
    return f"Attempt {wish.attempt} of stage {STAGE} profiles {wish.steps} steps of {ranks} as {wish.name}."


def _refusal(draft: Draft, wish: Profile | None, stage: StageStatus) -> str | None:
    if wish is None or not 1 <= wish.steps <= MAX_STEPS:
        return f"a profile is of 1 to {MAX_STEPS} steps."
    if stage.phase == "Succeeded":
        return f"stage {STAGE} is complete, and only a gang that trains can be profiled."
    if stage.phase != "Running" or stage.progress is None or not stage.progress.step:
        return f"stage {STAGE} is not training now: {(stage.message or stage.phase).rstrip('.')}."
    pretrain = draft.context.run.spec.pretrain
    ranks = pretrain.nodes * max(pretrain.gpus_per_node, 1)
    if wish.rank is not None and wish.rank >= ranks:
        return f"there is no rank {wish.rank}; the last one is {ranks - 1}."
    before = wanted(draft.context.run.status, stage.attempt)
    if before is not None and stage.progress.profile != before.name:
        return f"it is being profiled already, as {before.name}; wait for that."
    return None
