"""Profiles that people ask for: what of them reaches the gang, by the answer to its reports.

A wish that was accepted stands in the stage's status with the attempt that trained then, and holds for no other.
"""

import re
from typing import Final

from trainingrun.api.status import StageStatus
from trainingrun.plan.draft import Draft
from trainingrun_workers.contract import Profile

PROFILE: Final = "profile"
MAX_STEPS: Final = 100
WISH: Final = re.compile(r"(\d{1,4}) (all|\d{1,6}) (\d[0-9T:.Z-]{0,40})")
STAGE: Final = "pretrain"


def accept(draft: Draft, asked: str) -> str:
    """Take a wish or refuse it, as a sentence for whoever asks; the gang hears of it with its next report."""
    stage = draft.stages[STAGE]
    wish = read(asked.removeprefix(f"{PROFILE} "), stage.attempt)
    refusal = _refusal(draft, wish, stage)
    if wish is None or refusal is not None:
        return f"Nothing was done: {refusal}"
    draft.set(STAGE, profile=f"{asked.removeprefix(f'{PROFILE} ')} {stage.attempt}")
    ranks = "all ranks" if wish.rank is None else f"rank {wish.rank}"
    return f"Attempt {wish.attempt} of stage {STAGE} profiles {wish.steps} steps of {ranks} as {wish.name}."


def read(wish: str, attempt: int) -> Profile | None:
    """The profile in `STEPS RANK TIME`, named by the time of the asking; None where it is something else."""
    found = WISH.fullmatch(wish)
    if found is None:
        return None
    return Profile(found[3].replace(":", "-"), attempt, int(found[1]), None if found[2] == "all" else int(found[2]))


def wanted(profile: str | None, attempt: int) -> Profile | None:
    """The profile that a stage's attempt is to make, by the stage's status."""
    wish, _, of = (profile or "").rpartition(" ")
    return read(wish, attempt) if of == str(attempt) else None


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
    before = wanted(stage.profile, stage.attempt)
    if before is not None and stage.progress.profile != before.name:
        return f"it is being profiled already, as {before.name}; wait for that."
    return None
