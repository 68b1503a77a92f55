"""What the pretrain stage's pods are told of failures, losses and the rhythm of checkpoints."""

from typing import Any

import pytest
from pydantic import ValidationError

from builders import SETTINGS, a_manifest, with_uid
from trainingrun.api.training_run import TrainingRun
from trainingrun.stages import pretrain
from trainingrun.stages.context import Context
from trainingrun_workers.contract import PretrainSpec, Skip


def told(skips: list[dict[str, int]] | None = None, **changes: Any) -> tuple[PretrainSpec, str]:
    """The worker's spec, and the stage's folder."""
    manifest = with_uid(a_manifest())
    manifest["spec"]["pretrain"] |= changes
    if skips is not None:
        manifest["status"] = {"stages": [{"name": "pretrain", "kind": "pretrain", "skips": skips}]}
    context = Context(TrainingRun.from_object(manifest), SETTINGS)
    spec = pretrain.need(context, context.instances[1], ()).spec
    assert isinstance(spec, PretrainSpec)
    return spec, context.places["pretrain"].folder


def test_by_default_no_rise_is_bad_and_the_interval_is_fixed() -> None:
    spec, _ = told()
    assert (spec.skips, spec.loss_spike, spec.auto_interval) == ((), None, False)
    assert spec.seconds_between_failures == 5 * 86400.0


def test_the_limit_of_a_rise_and_the_automatic_interval_reach_the_worker() -> None:
    spec, _ = told(badLoss={"spike": 3.0}, checkpoints={"interval": "auto"}, recovery={"meanTimeBetweenFailures": "1d"})
    assert (spec.loss_spike, spec.auto_interval, spec.seconds_between_failures) == (3.0, True, 86400.0)


def test_the_preflights_floors_and_limit_reach_the_worker_and_leave_the_folder_where_it_is() -> None:
    spec, folder = told(preflight={"shmFree": "8Gi", "timeout": "90s"})
    assert spec.preflight == {"enabled": True, "timeout": 90.0, "floors": {"shmFree": 8 * 2.0**30}}
    assert (told()[0].preflight["timeout"], folder) == (300.0, told()[1])


@pytest.mark.parametrize("timeout", ["0s", "1.5h", "soon", "999999h"])
def test_a_preflight_without_time_is_refused(timeout: str) -> None:
    with pytest.raises(ValidationError, match="timeout"):
        told(preflight={"timeout": timeout})


def test_saves_are_in_the_background_unless_the_run_says_no_which_leaves_the_folder_where_it_is() -> None:
    spec, folder = told(checkpoints={"background": False})
    assert (spec.saves_in_background, told()[0].saves_in_background) == (False, True)
    assert folder == told()[1]


def test_what_was_skipped_reaches_the_worker_and_leaves_the_folder_where_it_is() -> None:
    skips = [{"step": 300, "steps": 45}, {"step": 500, "steps": 20, "times": 2}]
    spec, folder = told(skips)
    assert spec.skips == (Skip(300, 45), Skip(500, 20))
    assert folder == told()[1]
