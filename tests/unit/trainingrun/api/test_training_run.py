"""A run is read from an object of the API, strictly from its spec and forgivingly from its status."""

import pytest
from pydantic import ValidationError

from builders import a_manifest, a_training_run, with_uid
from trainingrun.api.training_run import TrainingRun, parse_status


def test_what_is_left_out_has_its_default() -> None:
    run = a_training_run(evaluate=None, variants=None, release=None)
    assert run.spec.evaluate is None
    assert run.spec.variants == []
    assert run.spec.release.license == "other"
    assert run.spec.pretrain.recovery.backoff == "10s"


def test_metadata_is_what_the_api_server_gives() -> None:
    run = TrainingRun.from_object(with_uid(a_manifest("tiny"), uid="abc", generation=3))
    assert (run.metadata.name, run.metadata.uid, run.metadata.generation) == ("tiny", "abc", 3)
    assert not run.metadata.deleting


def test_a_run_that_is_being_deleted_says_so() -> None:
    manifest = with_uid(a_manifest())
    manifest["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    assert TrainingRun.from_object(manifest).metadata.deleting


def test_an_unknown_field_of_the_spec_is_refused() -> None:
    with pytest.raises(ValidationError, match="gpuPerNode"):
        a_training_run(pretrain={"gpuPerNode": 8, "config": {}})


def test_a_field_of_another_version_in_the_status_stops_nothing() -> None:
    raw = {"phase": "Running", "future": 1, "stages": [{"name": "pretrain", "kind": "pretrain", "mood": "good"}]}
    status = parse_status(raw)
    assert status.phase == "Running"
    assert status.stages[0].name == "pretrain"


def test_a_status_survives_the_way_to_the_api_server_and_back() -> None:
    raw = {
        "phase": "Running",
        "stages": [{"name": "pretrain", "kind": "pretrain", "progress": {"step": 5, "loss": 2.5}}],
    }
    status = parse_status(raw)
    assert parse_status(status.model_dump(by_alias=True, exclude_none=True)) == status


def test_a_quantity_may_be_written_without_quotes() -> None:
    run = a_training_run(convert={"resources": {"requests": {"cpu": 2}}})
    assert run.spec.convert.resources.requests == {"cpu": "2"}
    with pytest.raises(ValidationError, match="valid string"):
        a_training_run(convert={"resources": {"requests": {"cpu": True}}})
