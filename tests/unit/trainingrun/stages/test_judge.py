"""The judge stage: what it waits for, what its pod is given, and that runs without a judge know nothing of it."""

import json
from typing import Any

from builders import PREFER, SETTINGS, World, a_manifest, a_training_run
from manifest_changes import A_JUDGE
from trainingrun.stages.context import Context
from trainingrun_workers.contract import ExitCode, JudgeSpec, Result, StageInput


def a_world(**judge: Any) -> World:
    return World(a_manifest(judge=A_JUDGE | judge))


def places(**spec: Any) -> dict[str, str]:
    return {name: place.folder for name, place in Context(a_training_run(**spec), SETTINGS).places.items()}


def converted(world: World) -> World:
    """The world in which the variant can be made."""
    world.pretrained()
    while world.stage("convert").phase == "Running":
        world.finishes_batch("convert")
    return world


def judging(world: World) -> World:
    """The world in which the judge is at work."""
    return converted(world).completes("sft-translate").settle()


def test_a_judge_moves_no_other_stage() -> None:
    with_judge = places(judge=A_JUDGE)
    assert with_judge.pop("judge").startswith("artifacts/judge/")
    assert with_judge == places()


def test_nothing_of_a_run_without_a_judge_speaks_of_one() -> None:
    world = World().finished()
    assert world.run.status.phase == "Succeeded"
    said = json.dumps([world.everything_ever_applied, world.run.status.model_dump(mode="json")]).lower()
    assert "judge" not in said


def test_the_judge_begins_once_every_model_is_made_and_waits_for_no_release() -> None:
    world = converted(a_world())
    waiting = world.stage("judge")
    assert (waiting.phase, waiting.message) == ("Pending", "Waiting for stage sft-translate.")
    world.completes("sft-translate").settle()
    assert world.stage("judge").phase == "Running"
    assert world.stage("release-translate").phase == "Pending"


def test_models_from_elsewhere_alone_are_judged_at_once() -> None:
    between = [{"name": "one", "path": "/volume/models/one"}, {"name": "two", "path": "models/two"}]
    world = a_world(between=between).settle()
    assert world.stage("judge").phase == "Running"
    assert folders_of(world) == {"one": "models/one", "two": "models/two"}


def folders_of(world: World) -> dict[str, str]:
    spec = given(world)
    return {one.name: one.folder for one in spec.models}


def given(world: World) -> JudgeSpec:
    document = world.objects[f"ConfigMap/{world.attempt('judge')}"]["data"]
    spec = StageInput.from_json(next(iter(document.values()))).spec
    assert isinstance(spec, JudgeSpec)
    return spec


def test_its_pod_is_given_the_folders_and_the_secret_by_reference() -> None:
    world = judging(a_world())
    where = Context(world.run, SETTINGS).places
    assert folders_of(world) == {
        "base": f"{where['convert'].folder}/step-00000900",
        "translate": f"{where['sft-translate'].folder}/model",
        "Qwen3-0.6B": "models/Qwen3-0.6B",
    }
    container = world.objects[f"Job/{world.attempt('judge')}"]["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "judge"}}]
    assert container["image"] == SETTINGS.images["evaluate"]
    assert (container["args"], given(world).secret) == (["judge"], "judge")
    with_secret = [one["metadata"]["name"] for one in world.everything_ever_applied if "secretRef" in json.dumps(one)]
    assert with_secret == [world.attempt("judge")]


def test_it_asks_for_a_gpu_unless_told_otherwise() -> None:
    world = judging(a_world(gpus=1))
    container = world.objects[f"Job/{world.attempt('judge')}"]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert given(world).cpu is False


def test_a_judge_that_is_added_to_a_finished_run_is_all_that_runs() -> None:
    world = World().finished()
    before = {one.name: one.attempt for one in world.run.status.stages}
    world.edit(judge=A_JUDGE)
    world.settle()
    assert world.stage("judge").phase == "Running"
    assert {one.name: one.attempt for one in world.run.status.stages if one.name != "judge"} == before
    world.completes("judge", {"judge": "large", "base : translate": "3 : 9, 1 tied"}).settle()
    assert world.run.status.phase == "Succeeded"
    assert world.stage("judge").output["base : translate"] == "3 : 9, 1 tied"


def test_another_rubric_judges_again_and_a_limit_for_nonsense_does_not() -> None:
    world = judging(a_world()).completes("judge").settle()
    assert world.stage("judge").attempt == 1
    world.edit(judge=A_JUDGE | {"maxUnparsable": 0.5})
    assert (world.settle().stage("judge").attempt, world.stage("judge").phase) == (1, "Succeeded")
    world.edit(judge=A_JUDGE | {"rubric": "Which answer is shorter?"})
    assert (world.settle().stage("judge").attempt, world.stage("judge").phase) == (2, "Running")


def test_a_judge_that_is_busy_is_asked_again_later() -> None:
    world = judging(a_world())
    busy = Result(int(ExitCode.RETRY), "JudgeAway", "The judge answered 429.")
    world.fails("judge", 75, busy).wait(3)
    world.wait(3)
    assert (world.stage("judge").phase, world.stage("judge").restarts) == ("Waiting", 1)
    world.wait(60)
    assert (world.stage("judge").phase, world.stage("judge").attempt) == ("Running", 2)


def test_a_judge_that_refuses_fails_its_stage_until_the_run_changes_and_the_releases_stand() -> None:
    world = judging(a_world())
    refused = Result(int(ExitCode.BAD_CONFIG), "JudgeRefused", "The judge does not take the key: mend JUDGE_API_KEY.")
    world.fails("judge", 78, refused).wait(10)
    assert (world.stage("judge").phase, world.stage("judge").reason) == ("Failed", "JudgeRefused")
    for stage in ("evaluate", "evaluate-translate", "release", "release-translate", *PREFER[1:]):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    assert {one.phase for one in world.run.status.stages if one.kind == "release"} == {"Succeeded"}
    world.edit(suspend=True)
    world.settle()
    world.edit(suspend=False)
    assert world.settle().stage("judge").phase == "Running"
