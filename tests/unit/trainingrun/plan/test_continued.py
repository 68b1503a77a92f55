"""Variants that go on pretraining, and those that start from another model than the run's own."""

import copy
from typing import Any

import pytest

from builders import SETTINGS, World, a_manifest
from manifest_changes import chained, stage_of
from trainingrun.api import names
from trainingrun.commands.artifact_users import referred
from trainingrun.stages.context import Context
from trainingrun_workers.contract import ReleaseSpec, SftSpec, StageInput

EARLIER = "artifacts/release/0123456789ab/model"


def manifest(*kinds: str, gpus: int = 0, base: str | None = EARLIER) -> dict[str, Any]:
    made = a_manifest()
    chained(*kinds)(made)
    (variant,) = made["spec"]["variants"]
    for stage in variant["stages"]:
        for tuning in stage.values():
            tuning["gpusPerNode"] = gpus
    return made if base is None else _based(made, base)


def _based(made: dict[str, Any], path: str) -> dict[str, Any]:
    made["spec"]["variants"][0]["base"] = {"path": path}
    return made


def given(world: World, stage: str) -> StageInput:
    return StageInput.from_json(world.objects[f"ConfigMap/{world.attempt(stage)}"]["data"][names.INPUT_FILE])


def tuned(world: World, stage: str) -> SftSpec:
    spec = given(world, stage).spec
    assert isinstance(spec, SftSpec)
    return spec


def test_a_variant_with_a_base_of_its_own_waits_for_nothing_of_the_run() -> None:
    world = World(manifest("cpt", "sft")).settle()
    assert {"tokenize", "cpt-translate"} <= {one.name for one in world.run.status.stages if one.phase == "Running"}
    first = tuned(world, "cpt-translate")
    assert (first.base, first.own_base, first.continues) == (EARLIER, True, True)
    world.completes("cpt-translate").settle()
    second = tuned(world, "sft-translate")
    assert second.base == f"{given(world, 'cpt-translate').folder}/model"
    assert (second.own_base, second.continues) == (False, False)


def test_its_data_are_prepared_before_its_gpus_are_taken() -> None:
    world = World(manifest("cpt", gpus=8)).settle()
    prepared = given(world, "prepare-cpt-translate")
    assert world.stage("cpt-translate").phase == "Pending"
    world.completes("prepare-cpt-translate").settle()
    gang = tuned(world, "cpt-translate")
    assert (gang.base, gang.prepared, gang.continues) == (EARLIER, prepared.folder, True)
    assert isinstance(prepared.spec, SftSpec) and (prepared.spec.base, prepared.spec.own_base) == (EARLIER, True)


def test_without_a_base_of_its_own_a_cpt_stage_starts_from_the_run_s_model() -> None:
    world = World(manifest("cpt", base=None)).pretrained()
    while world.stage("convert").phase == "Running":
        world.finishes_batch("convert")
    spec = tuned(world, "cpt-translate")
    assert spec.base.startswith("artifacts/convert/") and not spec.own_base and spec.continues


def test_it_runs_in_the_image_of_sft() -> None:
    world = World(manifest("cpt")).settle()
    replicas = world.objects["PyTorchJob/tiny-cpt-translate-a1"]["spec"]["pytorchReplicaSpecs"]
    (container,) = replicas["Master"]["template"]["spec"]["containers"]
    assert (container["image"], container["args"]) == (SETTINGS.images["sft"], ["cpt"])


def test_its_folder_is_named_by_the_path_and_by_nothing_that_the_run_pretrains() -> None:
    one, spelled, other = manifest("cpt"), manifest("cpt", base=f"/volume/{EARLIER}/"), manifest("cpt", base="models/x")
    pretrained = manifest("cpt")
    pretrained["spec"]["pretrain"]["config"]["general"]["seed"] = 7
    made = [Context(World(each).run, SETTINGS).places["cpt-translate"] for each in (one, spelled, pretrained, other)]
    assert made[0] == made[1] == made[2] != made[3]


@pytest.mark.parametrize(("kinds", "chat"), [(("cpt",), False), (("cpt", "sft"), True)])
def test_a_release_names_the_base_s_path_and_claims_no_pretraining_of_the_run(
    kinds: tuple[str, ...], chat: bool
) -> None:
    made = manifest(*kinds)
    del made["spec"]["evaluate"]
    world = World(made).settle()
    for kind in kinds:
        world.completes(f"{kind}-translate").settle()
    spec = given(world, "release-translate").spec
    assert isinstance(spec, ReleaseSpec)
    assert (spec.base_name, spec.base_path, spec.chat) == (None, EARLIER, chat)
    assert spec.provenance["base"] == {"path": EARLIER}
    assert not spec.provenance.keys() & {"pretrain", "data", "tokenizer"}
    assert [one["name"] for one in spec.provenance["stages"]] == [f"{kind}-translate" for kind in kinds]


def test_the_folder_of_the_base_counts_as_used() -> None:
    made = manifest("cpt")
    assert "artifacts/release/0123456789ab" in (referred(World(made).manifest) or ())


def test_a_second_variant_with_the_same_base_trains_only_what_is_its_own() -> None:
    made = manifest("cpt")
    variant = copy.deepcopy(made["spec"]["variants"][0])
    variant["stages"].append(stage_of("sft", a_manifest()))
    made["spec"]["variants"].append(variant | {"name": "chat"})
    world = World(made).settle()
    assert [world.stage(f"cpt-{name}").attempt for name in ("translate", "chat")] == [1, 0]
    world.completes("cpt-translate").settle()
    assert world.stage("sft-chat").phase == "Running"
