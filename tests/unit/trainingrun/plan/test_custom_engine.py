"""An engine that is not ours: what it is given, and what becomes of one that hangs, lies or is not there."""

import dataclasses
import json
from typing import Any

import pytest

from builders import SETTINGS, World, a_manifest
from manifest_changes import CUSTOM_PRETRAIN, custom
from trainingrun_workers.contract import Result, StageInput

IMAGE = "registry.example/tiny@sha256:" + "2" * 64
KNOWN = dataclasses.replace(SETTINGS, custom_engines={"tiny": IMAGE})


def a_world(known: dict[str, str] | None = None, **changes: Any) -> World:
    manifest = a_manifest()
    custom(**changes)(manifest)
    return World(manifest, KNOWN if known is None else dataclasses.replace(SETTINGS, custom_engines=known)).settle()


def pretraining(**changes: Any) -> World:
    return a_world(**changes).completes("tokenize").settle()


def container(world: World) -> dict[str, Any]:
    replica = world.objects["PyTorchJob/tiny-pretrain-a1"]["spec"]["pytorchReplicaSpecs"]["Master"]
    (found,) = replica["template"]["spec"]["containers"]
    return dict(found)


def test_the_image_is_the_values_and_the_command_the_runs() -> None:
    made = container(pretraining(args=["--fast"], env={"NCCL_DEBUG": "WARN"}))
    assert (made["image"], made["command"], made["args"]) == (IMAGE, ["python", "engine.py"], ["--fast"])
    assert {"name": "NCCL_DEBUG", "value": "WARN"} in made["env"]
    assert made["securityContext"]["readOnlyRootFilesystem"] is True


def test_without_a_command_the_images_own_runs() -> None:
    assert {"command", "args"}.isdisjoint(container(pretraining(command=None)))


def test_it_is_told_its_sizes_and_its_configuration_as_it_is() -> None:
    world = pretraining()
    (text,) = world.objects["ConfigMap/tiny-pretrain-a1"]["data"].values()
    spec: Any = StageInput.from_json(text).spec
    assert (spec.engine, spec.config) == ("custom", CUSTOM_PRETRAIN["config"])
    assert (spec.total_steps, spec.tokens_per_step, spec.sequence_length, spec.vocab_size) == (900, 2048, 256, 4096)
    assert (spec.token_bytes, spec.checkpoint_every, spec.seed) == (2, 300, 42)
    assert [one.weight for one in spec.data[0].sources] == [one["weight"] for one in a_manifest()["spec"]["data"]]


@pytest.mark.parametrize(
    ("known", "there"),
    [({"torchtitan": "x", "megatron": "y"}, "name one of megatron, torchtitan, or"), ({}, "there are none, or")],
)
def test_an_entry_that_the_values_lack_is_told_with_those_that_there_are(known: dict[str, str], there: str) -> None:
    world = a_world(known)
    assert world.condition("Valid").status == "False"
    assert there in world.condition("Valid").message
    assert "images.custom.tiny" in world.condition("Stalled").message
    assert world.work == {}
    world.settings = KNOWN
    assert world.settle().condition("Valid").status == "True"


def test_its_checkpoints_are_converted_evaluated_and_released() -> None:
    world = pretraining().reports("pretrain", step=320, total=900, checkpoint=300, checkpoints=(0, 300)).wait(11)
    assert world.stage("convert").phase == "Running"
    world.completes("pretrain", {"checkpoints": [0, 300, 600, 900]}).settle()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    (text,) = world.objects["ConfigMap/tiny-release-a1"]["data"].values()
    made: Any = StageInput.from_json(text).spec
    assert made.provenance["images"]["pretrain"] == IMAGE
    assert (made.provenance["pretrain"]["engine"], made.provenance["pretrain"]["sequenceLength"]) == ("custom", 256)


def test_an_engine_that_never_reports_is_started_again_after_the_longer_limit() -> None:
    world = pretraining().wait(5990)
    assert world.stage("pretrain").phase == "Running"
    world.wait(11)
    assert world.run.status.attempts[-1].cause == "Hang"
    assert "has reported no step for 6001 s" in world.stage("pretrain").message
    assert world.wait(11).stage("pretrain").attempt == 2


def test_an_engine_that_reports_the_same_step_again_and_again_is_ended() -> None:
    world = pretraining()
    world.edit(pretrain=world.manifest["spec"]["pretrain"] | {"recovery": {"hangTimeout": "300s"}})
    for _ in range(27):
        world.reports("pretrain", step=7, total=900, activity="training").wait(11)
    assert world.stage("pretrain").phase == "Running"
    world.reports("pretrain", step=8, total=900, activity="training").wait(11)
    for _ in range(26):
        world.reports("pretrain", step=8, total=900, activity="training").wait(11)
    assert world.stage("pretrain").attempt == 1
    world.reports("pretrain", step=8, total=900, activity="saving").wait(600)
    assert world.stage("pretrain").phase == "Running", "saving may take longer"
    world.reports("pretrain", step=8, total=900, activity="training").wait(11)
    assert world.run.status.attempts[-1].cause == "Hang"
    assert "stands at step 8 for" in world.stage("pretrain").message


def test_pods_that_have_not_started_do_not_hang() -> None:
    world = pretraining().change_pod("pretrain", started=False, phase="Pending", waiting_reason="ImagePullBackOff")
    world.wait(300)
    assert world.stage("pretrain").phase == "Running"


@pytest.mark.parametrize(
    "output",
    [{}, {"checkpoints": [0, 300, 600]}, {"checkpoints": "900"}, {"checkpoints": [900, "x"], "tokens": "many"}],
)
def test_an_engine_that_ends_with_0_without_its_last_checkpoint_is_not_believed(output: dict[str, Any]) -> None:
    world = pretraining().completes("pretrain", output).settle()
    assert world.run.status.attempts[-1].cause == "Unfinished"
    assert "name no checkpoint of step 900" in world.stage("pretrain").message
    for _ in range(4):
        world.wait(400).completes("pretrain", output).settle()
    assert (world.stage("pretrain").phase, world.stage("pretrain").reason) == ("Failed", "CrashLoop")


def test_an_exit_code_that_nobody_knows_is_a_crash_and_tried_again() -> None:
    world = pretraining().fails("pretrain", 42).settle()
    world.wait(6)  # until no peer can say a weightier cause
    assert world.run.status.attempts[-1].cause == "Crashed"
    assert "ended with exit code 42: see its log" in world.run.status.attempts[-1].message
    assert world.wait(11).stage("pretrain").attempt == 2


def test_a_folder_is_by_what_runs_and_not_by_its_variables() -> None:
    def folder(**changes: Any) -> str:
        return str(pretraining(**changes).stage("pretrain").folder)

    assert folder() == folder(env={"X": "1"})
    assert len({folder(), folder(args=["--x"]), folder(seed=7), folder(vocabSize=4000), folder(steps=901)}) == 5


@pytest.mark.parametrize(
    "words",
    [
        "Segmentation fault", "[1, 2]", "null", json.dumps({"exit_code": 1}),
        json.dumps({"exit_code": 1, "reason": ["x"], "message": "m"}),
        json.dumps({"exit_code": 1, "reason": "no word", "message": "m"}),
        json.dumps({"exit_code": 1, "reason": "X", "message": {"m": 1}}),
        json.dumps({"exit_code": 1, "reason": "X", "message": "m", "step": "7"}),
        json.dumps({"exit_code": 1, "reason": "X", "message": "m", "output": [1]}),
    ],
)  # fmt: skip
def test_last_words_that_are_none_count_as_none(words: str) -> None:
    assert Result.from_text(words) is None
