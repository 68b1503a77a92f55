"""The admission policies stop what they should, and never stand in the operator's way."""

from builders import a_training_run
from trainingrun.api.names import PLURAL
from trainingrun.api.policies import policies
from trainingrun.api.policy import CHANGE_CHECKS, DEFAULT_SEED, KNOB_SECTIONS, SPEC_CHECKS, Check
from trainingrun.stages.layout import _KNOBS
from trainingrun.stages.translated import translated


def test_each_policy_is_followed_by_the_binding_that_puts_it_in_force() -> None:
    made = policies("there")
    assert [one["kind"].removeprefix("ValidatingAdmission") for one in made] == ["Policy", "PolicyBinding"] * 2
    for policy, binding in zip(made[::2], made[1::2], strict=True):
        assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}


def test_the_status_is_never_asked_about() -> None:
    for policy in policies("there")[::2]:
        (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
        assert rule["resources"] == [PLURAL]


def test_a_run_that_is_being_deleted_is_let_go() -> None:
    for policy in policies("there")[::2]:
        conditions = [one["expression"] for one in policy["spec"]["matchConditions"]]
        assert "!has(object.metadata.deletionTimestamp)" in conditions
        assert any("object.spec != oldObject.spec" in one for one in conditions)


def test_what_is_no_input_for_the_decisions_is_a_knob_for_the_policy() -> None:
    assert set(KNOB_SECTIONS) == set(_KNOBS)


def test_a_seed_that_is_left_out_is_the_policys() -> None:
    run = a_training_run()
    del run.spec.pretrain.config["general"]["seed"]
    assert translated(run).pretrain.seed == DEFAULT_SEED


def test_a_sentence_with_an_apostrophe_is_a_text_in_cel() -> None:
    check = Check("true", "It can't be {what}.", (("what", "variables.what"),))
    assert check.message == "'It can\\'t be ' + variables.what + '.'"


def test_every_refusal_says_what_to_do_instead() -> None:
    for check in CHANGE_CHECKS:
        assert "undo the change, or" in check.sentence
    for check in SPEC_CHECKS:
        assert any(mend in check.sentence for mend in ("make it", "change one", "set nodes"))
