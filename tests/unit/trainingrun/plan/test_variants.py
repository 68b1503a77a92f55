"""Chains of stages that go on from the base model, several at once, each trained once."""

import copy
import json
from typing import Any

import pytest

from builders import PREFER, SETTINGS, TRANSLATE, World, a_manifest
from manifest_changes import chained, stage_of
from trainingrun.api import names
from trainingrun.stages.context import Context
from trainingrun_workers.contract import ReleaseSpec, SftSpec, StageInput, checkpoint_name


def manifest(*kinds: str, gpus: int = 0) -> dict[str, Any]:
    made = a_manifest()
    chained(*kinds)(made)
    for stage in made["spec"]["variants"][0]["stages"]:
        for tuning in stage.values():
            tuning["gpusPerNode"] = gpus
    return made


def converted(made: dict[str, Any]) -> World:
    """The world when the base model is converted and evaluated, its release and the first stage of variants at work."""
    world = World(made).pretrained()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    return world


def running(world: World) -> set[str]:
    return {one.name for one in world.run.status.stages if one.phase == "Running"} - {"release", "report"}


def given(world: World, stage: str) -> StageInput:
    text = world.objects[f"ConfigMap/{world.attempt(stage)}"]["data"][names.INPUT_FILE]
    return StageInput.from_json(text)


def fresh_stages(world: World, applied: int) -> set[str]:
    return {one["metadata"]["labels"][names.LABEL_STAGE] for one in world.everything_ever_applied[applied:]}


def test_a_run_with_one_fine_tuning_has_the_stages_and_folders_that_it_always_had() -> None:
    made = a_manifest("quickstart")
    made["spec"]["variants"] = made["spec"]["variants"][:1]
    world = World(made)
    places = Context(world.run, SETTINGS).places
    assert list(places)[5:] == [*TRANSLATE, "report"]
    assert places["sft-translate"].folder == "artifacts/sft/267481e1a86a"
    assert places["evaluate-translate"].folder == "artifacts/evaluate/292fd6d6b45d"
    assert places["release-translate"].folder == "artifacts/release/f8d8d01cf083"


def test_each_stage_of_a_chain_waits_for_the_one_before_and_starts_from_its_model() -> None:
    world = converted(manifest("sft", "dpo", "sft"))
    seen, before = [], f"{Context(world.run, SETTINGS).places['convert'].folder}/{checkpoint_name(900)}"
    for stage in ("sft-translate", "dpo-translate", "sft-translate-2"):
        assert running(world) == {stage}
        spec = given(world, stage).spec
        assert isinstance(spec, SftSpec) and spec.base == before
        before = f"{given(world, stage).folder}/model"
        seen.append(given(world, stage).kind)
        world.completes(stage).settle()
    assert seen == ["sft", "dpo", "sft"]
    evaluated = given(world, "evaluate-translate").spec
    assert evaluated.models[0].folder == before  # type: ignore[union-attr]
    world.completes("evaluate-translate").settle()
    release = given(world, "release-translate").spec
    assert isinstance(release, ReleaseSpec) and release.model == before
    assert [one["name"] for one in release.provenance["stages"]] == [
        "sft-translate",
        "dpo-translate",
        "sft-translate-2",
    ]


def test_a_dpo_stage_runs_in_the_image_of_sft() -> None:
    world = converted(manifest("dpo"))
    replicas = world.objects["PyTorchJob/tiny-dpo-translate-a1"]["spec"]["pytorchReplicaSpecs"]
    (container,) = replicas["Master"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == (SETTINGS.images["sft"], ["dpo"])


def test_an_earlier_stage_s_configuration_moves_the_folders_of_the_later_ones() -> None:
    one, other = manifest("sft", "dpo"), manifest("sft", "dpo")
    other["spec"]["variants"][0]["stages"][0]["sft"]["config"]["learning_rate"] = 0.5
    places = [Context(World(made).run, SETTINGS).places for made in (one, other)]
    moved = {name for name in places[0] if places[0][name] != places[1][name]}
    assert moved == {"sft-translate", "dpo-translate", "evaluate-translate", "release-translate", "report"}


def test_a_chain_added_to_a_finished_run_trains_only_that() -> None:
    made = a_manifest()
    variants = made["spec"].pop("variants")
    world = converted(made | {"spec": made["spec"] | {"variants": variants[:1]}})
    for stage in ("release", *TRANSLATE, "report"):
        world.completes(stage).settle()
    assert world.run.status.phase == "Succeeded"
    applied = len(world.everything_ever_applied)
    world.edit(variants=variants)
    world.settle()
    assert world.stage("sft-prefer").phase == "Succeeded", "it is the same as sft-translate"
    for stage in (*PREFER[1:], "report"):
        world.completes(stage).settle()
    assert world.run.status.phase == "Succeeded"
    assert fresh_stages(world, applied) == {*PREFER[1:], "report"}


def test_a_stage_added_to_a_finished_chain_trains_only_that_and_scores_and_releases_anew() -> None:
    made = manifest("sft")
    world = converted(made)
    for stage in ("release", *TRANSLATE, "report"):
        world.completes(stage).settle()
    applied = len(world.everything_ever_applied)
    variant = copy.deepcopy(world.manifest["spec"]["variants"][0])
    variant["stages"].append(stage_of("dpo", made))
    world.edit(variants=[variant])
    world.settle()
    for stage in ("dpo-translate", "evaluate-translate", "release-translate"):
        assert running(world) == {stage}
        world.completes(stage).settle()
    world.completes("report").settle()
    assert world.run.status.phase == "Succeeded"
    assert fresh_stages(world, applied) == {"dpo-translate", "evaluate-translate", "release-translate", "report"}


def test_what_two_variants_begin_with_is_trained_once_and_serves_both() -> None:
    world = converted(a_manifest())
    assert running(world) == {"sft-translate"}
    assert world.stage("sft-prefer").reason == "FolderInUse"
    world.completes("sft-translate", {"loss": 2.5}).settle()
    assert running(world) == {"evaluate-translate", "dpo-prefer"}
    assert world.stage("sft-prefer").output == world.stage("sft-translate").output == {"loss": "2.5"}


def test_variants_that_differ_train_at_the_same_time() -> None:
    made = a_manifest()
    made["spec"]["variants"][1]["stages"][0]["sft"]["config"]["seed"] = 43
    assert running(converted(made)) == {"sft-translate", "sft-prefer"}


def test_what_fails_for_one_variant_fails_for_those_that_wait_for_it_and_a_mended_spec_starts_both() -> None:
    world = converted(a_manifest())
    world.fails("sft-translate", 65).settle()
    assert {world.stage(name).phase for name in ("sft-translate", "sft-prefer")} == {"Failed"}
    variants = copy.deepcopy(world.manifest["spec"]["variants"])
    for variant in variants:
        variant["stages"][0]["sft"]["config"]["seed"] = 43
    world.edit(variants=variants)
    world.settle()
    assert running(world) == {"sft-translate"}
    world.completes("sft-translate").settle()
    assert world.stage("sft-prefer").phase == "Succeeded"


def test_with_gpus_the_data_are_prepared_before_the_gang_takes_them() -> None:
    world = converted(manifest("sft", "dpo", gpus=8))
    assert running(world) == {"prepare-sft-translate"}
    job = world.objects["Job/tiny-prepare-sft-translate-a1"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == (SETTINGS.images["sft"], ["prepare"])
    assert "nvidia.com/gpu" not in json.dumps(job)
    prepared = given(world, "prepare-sft-translate")
    world.completes("prepare-sft-translate", {"rows": 100, "dropped": 3}).settle()
    assert world.stage("prepare-sft-translate").output == {"rows": "100", "dropped": "3"}
    gang = given(world, "sft-translate").spec
    assert isinstance(prepared.spec, SftSpec) and isinstance(gang, SftSpec)
    assert (gang.prepared, gang.config, gang.base) == (prepared.folder, prepared.spec.config, prepared.spec.base)
    assert (prepared.spec.cpu, gang.cpu, gang.processes_per_node) == (True, False, 8)


def test_the_pods_that_prepare_are_where_the_run_puts_them() -> None:
    made = manifest("sft", gpus=8)
    made["spec"]["variants"][0]["stages"][0]["sft"] |= {"prepare": {"nodeSelector": {"pool": "cpu"}}}
    world = converted(made)
    assert world.objects["Job/tiny-prepare-sft-translate-a1"]["spec"]["template"]["spec"]["nodeSelector"] == {
        "pool": "cpu"
    }


def test_data_are_prepared_again_when_what_is_made_of_them_has_changed() -> None:
    world = converted(manifest("sft", gpus=8))
    world.completes("prepare-sft-translate")
    world.edit(suspend=True)
    world.settle()
    variants = copy.deepcopy(world.manifest["spec"]["variants"])
    variants[0]["stages"][0]["sft"]["config"]["sequence_len"] = 128
    world.edit(variants=variants, suspend=False)
    world.settle()
    assert running(world) == {"prepare-sft-translate"}
    assert world.stage("prepare-sft-translate").attempt == 2


def test_without_gpus_a_gang_prepares_its_own_data() -> None:
    world = converted(manifest("sft"))
    spec = given(world, "sft-translate").spec
    assert isinstance(spec, SftSpec) and spec.prepared is None


def test_a_gang_that_an_earlier_release_has_started_gets_no_data_prepared_any_more() -> None:
    world = converted(manifest("sft", gpus=8))
    world.completes("prepare-sft-translate").settle()
    for stage in ("sft-translate", "evaluate-translate", "release-translate", "release", "report"):
        world.completes(stage).settle()
    stages = world.manifest["status"]["stages"]
    world.manifest["status"]["stages"] = [one for one in stages if one["kind"] != "prepare"]
    applied = len(world.everything_ever_applied)
    world.settle()
    assert world.run.status.phase == "Succeeded"
    assert fresh_stages(world, applied) == set()


@pytest.mark.parametrize("kind", names.TUNING_KINDS)
def test_a_stage_recovers_as_its_own_part_of_the_run_says(kind: str) -> None:
    made = manifest(kind)
    made["spec"]["variants"][0]["stages"][0][kind]["recovery"] = {"maxRestarts": 0}
    world = converted(made)
    world.fails(f"{kind}-translate", 1).wait(6)
    assert world.stage(f"{kind}-translate").reason == "RestartBudgetExhausted"
