"""Which run refers to which folder, and what may therefore be removed."""

from typing import Any

import pytest

from builders import a_manifest, a_training_run, with_uid
from trainingrun.commands.artifact_users import referred, unused, users
from trainingrun.stages.layout import places, token_folders
from trainingrun.stages.translated import translated


def a_run(name: str = "one", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return with_uid(a_manifest(name, **spec)) | {"status": status or {}}


def folders_of(name: str = "one") -> set[str]:
    run = a_training_run(name)
    made = translated(run)
    return {one.folder for one in places(run, made).values()} | set(token_folders(run, made).values())


def test_a_run_refers_to_all_folders_of_its_spec_and_to_those_that_its_status_names() -> None:
    stage = {"name": "pretrain", "kind": "pretrain", "folder": "artifacts/pretrain/before"}
    assert referred(a_run(status={"stages": [stage]})) == folders_of() | {"artifacts/pretrain/before"}
    assert any(one.startswith("artifacts/tokens/") for one in folders_of())


def test_the_users_of_a_claim_are_the_runs_that_name_it_and_the_one_that_it_was_made_for() -> None:
    runs = [
        a_run("named", storage={"claimName": "data"}),
        a_run("data", storage={"claim": {"size": "5Gi"}}),
        a_run("other", storage={"claimName": "elsewhere"}),
        a_run("own", storage={"claim": {"size": "5Gi"}}),
    ]
    assert set(users(runs, "data").folders) == {"named", "data"}


BROKEN = {
    "a field is missing": {"tokenizer": None},
    "a field has another type": {"data": "none"},
    "a configuration can't be translated": {"pretrain": {"config": {}}},
    "a configuration has another form": {"pretrain": {"config": {"tokens": [], "model": 3}}},
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_run_that_can_not_be_understood_counts_as_referring_to_everything(how: str) -> None:
    known = users([a_run("broken", storage={"claimName": "data"}, **BROKEN[how])], "data")
    assert known.opaque == ("broken",)
    assert known.of("artifacts/anything/atall") == ("broken",)


def test_young_folders_used_folders_and_finished_models_are_not_unused() -> None:
    def artifact(path: str, age: int = 1000, complete: bool = True) -> dict[str, Any]:
        return {"path": path, "kind": path.split("/")[1], "ageSeconds": age, "complete": complete}

    found = [
        artifact("artifacts/tokens/left"), artifact("artifacts/tokens/young", age=10),
        artifact("artifacts/release/model"), artifact("artifacts/release/half", complete=False),
        *(artifact(one) for one in sorted(folders_of())),
    ]  # fmt: skip
    known = users([a_run("one", storage={"claimName": "data"})], "data")
    paths = [one["path"] for one in unused(found, known, 900, releases=False)]
    assert paths == ["artifacts/tokens/left", "artifacts/release/half"]
    assert len(unused(found, known, 900, releases=True)) == 3
