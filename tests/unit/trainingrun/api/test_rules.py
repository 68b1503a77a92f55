"""Every rule refuses what it is there for and names the mend; the API server is tested with the same table."""

import pytest
from pydantic import ValidationError

from admission_cases import EDITS, RUNS, Case, Edit
from builders import SETTINGS, UID, World, a_manifest, a_training_run, with_uid
from trainingrun.api.rules import RULES, violations
from trainingrun.api.training_run import TrainingRun
from trainingrun.plan import validity
from trainingrun.stages.context import Context


def said(case: Case) -> str:
    """Everything that Python has to say against a case."""
    try:
        run = TrainingRun.from_object(with_uid(case.manifest()))
    except ValidationError as error:
        return str(error)
    return "\n".join(note.message for note in validity.errors(Context(run, SETTINGS)))


@pytest.mark.parametrize("case", RUNS, ids=lambda case: case.name)
def test_python_says_of_a_run(case: Case) -> None:
    if case.refused is None:
        assert said(case) == ""
    else:
        assert (case.in_python or case.refused) in said(case)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_operator_says_of_a_change_to_a_started_run(edit: Edit) -> None:
    manifest = a_manifest()
    edit.before(manifest)
    world = World(manifest)
    world.settle()
    places = Context(world.run, SETTINGS).places
    world.manifest["status"] = {
        "stages": [
            {"name": name, "kind": name.split("-")[0], "phase": phase, "attempt": 1, "inputs": places[name].inputs}
            for name, phase in edit.started.items()
        ]
    }
    edit.change(world.manifest)
    world.edit()
    refused = world.plan().status.model_dump()["conditions"]
    reasons = {one["reason"] for one in refused}
    assert ("InputsChanged" in reasons) == (edit.refused is not None and edit.seen_by_the_operator)


def test_a_whole_run_breaks_no_rule() -> None:
    assert violations(a_training_run()) == ()


def test_every_rule_is_broken_by_some_case() -> None:
    broken = set()
    for case in RUNS:
        try:
            run = TrainingRun.from_object(case.manifest() | {"status": {}})
        except ValidationError:
            continue
        broken |= {rule.message for rule in RULES if not rule.holds(run)}
    assert broken == {rule.message for rule in RULES}


def test_a_message_is_one_sentence_that_says_what_to_do() -> None:
    for rule in RULES:
        assert rule.message.endswith(".")
        mends = ("use", "begin", "Give", "write", "give", "make")
        assert any(mend in rule.message for mend in mends), rule.message


def test_a_broken_rule_is_told_with_its_place() -> None:
    (note,) = violations(a_training_run(storage={}))
    assert (note.severity, note.path) == ("error", "spec.storage")
    assert TrainingRun.from_object(with_uid(a_manifest())).metadata.uid == UID
