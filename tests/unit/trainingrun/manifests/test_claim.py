"""The claim that a run makes: whose it is, and so what becomes of it when the run is deleted."""

from typing import Any

import pytest

from builders import UID, World, a_manifest


def made(**storage: Any) -> dict[str, Any]:
    """The claim of a run that asks for one."""
    world = World(a_manifest(storage={"claim": {"size": "1Ti"}, **storage}))
    world.claim = None
    world.step()
    return world.objects["PersistentVolumeClaim/tiny"]


@pytest.mark.parametrize("storage", [{}, {"deletionPolicy": "Retain"}])
def test_a_claim_belongs_to_nobody_so_that_deleting_its_run_deletes_no_model(storage: dict[str, str]) -> None:
    assert "ownerReferences" not in made(**storage)["metadata"]


def test_a_claim_that_is_to_go_with_its_run_is_owned_by_it_and_holds_nothing_up() -> None:
    claim = made(deletionPolicy="Delete")
    (owner,) = claim["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("TrainingRun", "tiny", UID)
    assert owner["blockOwnerDeletion"] is False
    assert "finalizers" not in claim["metadata"]


def test_a_claim_that_is_there_is_never_written_again_whatever_the_policy() -> None:
    world = World(a_manifest(storage={"claim": {"size": "1Gi"}, "deletionPolicy": "Delete"})).settle()
    assert not [one for one in world.everything_ever_applied if one["kind"] == "PersistentVolumeClaim"]
