"""What a run would be given, without a cluster."""

import json

from builders import SETTINGS, a_manifest, with_uid
from trainingrun.api import names
from trainingrun.api.training_run import TrainingRun
from trainingrun.plan.preview import due, first_attempts
from trainingrun.stages.context import Context


def context(steps: int, every: int, initial: bool) -> Context:
    manifest = a_manifest()
    config = manifest["spec"]["pretrain"]["config"]
    config["tokens"]["train_steps"] = steps
    config["optimizer"]["learning_rate_scheduler"]["lr_decay_steps"] = steps - 500
    manifest["spec"]["evaluate"]["checkpoints"] = {"every": every, "initial": initial}
    return Context(TrainingRun.from_object(with_uid(manifest)), SETTINGS)


def test_the_checkpoints_that_are_asked_and_the_last_one_are_due_in_their_order() -> None:
    assert tuple(due(context(1000, 300, True))) == (0, 300, 600, 900, 1000)
    assert tuple(due(context(900, 600, False))) == (600, 900)


def test_a_run_of_absurdly_many_steps_is_planned_all_the_same() -> None:
    made = first_attempts(context(10**15, 300, False))
    (document,) = (
        one["data"][names.INPUT_FILE]
        for one in made
        if one["metadata"]["name"].endswith("-convert-a1") and "data" in one
    )
    assert json.loads(document)["spec"]["steps"][0] == 300
