"""What the release stage is told, and that old runs keep their folders."""

import copy
import json
from typing import Any

import pytest
import yaml

from builders import SETTINGS, a_manifest, a_training_run
from trainingrun.api.manifest_text import read
from trainingrun.manifests.meta import digest
from trainingrun.stages import release
from trainingrun.stages.builders import objects
from trainingrun.stages.context import Context, Need
from trainingrun_workers.contract import ReleaseSpec


def context(**release_fields: Any) -> Context:
    return Context(a_training_run(release={**a_manifest()["spec"]["release"], **release_fields}), SETTINGS)


def need(made: Context, name: str = "release") -> tuple[Need, ReleaseSpec]:
    instance = next(one for one in made.instances if one.name == name)
    found = release.need(made, instance, ())
    assert isinstance(found.spec, ReleaseSpec)
    return found, found.spec


PUSH = {"repository": "org/zagreus", "secretName": "hub"}


def test_the_folder_of_a_run_without_the_new_fields_is_what_it_was() -> None:
    made = context()
    before = {
        "name": "tiny",
        "needs": [made.places[name].inputs for name in ("convert", "evaluate")],
        "release": {key: made.run.spec.release.model_dump()[key] for key in ("license", "languages", "prompts")},
    }
    assert made.places["release"].inputs == digest(before)
    assert context(gguf=[]).places == context().places


@pytest.mark.parametrize(
    "field",
    [{"gguf": ["f16"]}, {"push": PUSH}, {"citation": "us"}, {"limitations": "none"}],
    ids=lambda one: next(iter(one)),
)
def test_a_field_that_changes_what_is_released_moves_the_released_folders_alone(field: dict[str, Any]) -> None:
    before, after = context().places, context(**field).places
    assert {name for name in before if before[name] != after[name]} == {
        "release",
        "release-translate",
        "release-prefer",
    }


def test_the_secret_of_a_push_and_who_sees_the_repository_move_nothing() -> None:
    other = {**PUSH, "secretName": "another", "private": False}
    assert context(push=PUSH).places == context(push=other).places


@pytest.mark.parametrize("field", ["language", "license"])
def test_what_the_card_says_of_data_moves_the_released_folders_alone(field: str) -> None:
    data = copy.deepcopy(a_manifest()["spec"]["data"])
    data[0][field] = "it"
    before, after = context().places, Context(a_training_run(data=data), SETTINGS).places
    assert {name for name in before if before[name] != after[name]} == {
        "release",
        "release-translate",
        "release-prefer",
    }


def test_each_model_is_pushed_to_a_repository_of_its_own_with_the_secret_by_name() -> None:
    made = context(push=PUSH)
    base, spec = need(made)
    assert base.secrets == ("hub",)
    assert spec.push == {"repository": "org/zagreus", "private": True}
    assert need(made, "release-translate")[1].push == {"repository": "org/zagreus-translate", "private": True}
    instance = next(one for one in made.instances if one.name == "release")
    document, job = objects(made, instance, 1)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "hub"}}]
    assert "hub" not in json.loads(document["data"]["input.json"])["spec"]["push"].values()


def test_a_variant_names_its_base_where_readers_find_it() -> None:
    assert need(context(push=PUSH), "release-translate")[1].base_name == "org/zagreus"
    assert need(context(), "release-translate")[1].base_name == "tiny"


def test_only_the_release_stages_get_the_secret() -> None:
    made = context(push=PUSH)
    for instance in made.instances:
        rendered = json.dumps(objects(made, instance, 1, (300,)))
        assert ('"secretRef": {"name": "hub"}' in rendered) == (instance.kind == "release"), instance.name


def test_without_a_push_there_is_no_secret() -> None:
    found, spec = need(context())
    assert (found.secrets, spec.push) == ((), None)


def test_the_manifest_is_as_it_was_applied() -> None:
    _, spec = need(context(gguf=["q8_0"], push=PUSH))
    assert spec.manifest is not None
    manifest = yaml.safe_load(spec.manifest)
    applied = a_manifest()["spec"]
    applied["release"] |= {"gguf": ["q8_0"], "push": PUSH}
    again = read(spec.manifest, "trainingrun.yaml")
    assert manifest["metadata"] == {"name": "tiny"}
    assert again.spec.model_dump(by_alias=True, exclude_unset=True) == applied


def test_the_manifest_leads_to_the_same_folders() -> None:
    made = context(gguf=["f16"])
    manifest = need(made)[1].manifest
    assert manifest is not None
    assert Context(read(manifest, "trainingrun.yaml"), SETTINGS).places == made.places


def test_texts_that_look_like_numbers_stay_texts_in_the_manifest() -> None:
    pretrain = copy.deepcopy(a_manifest()["spec"]["pretrain"])
    pretrain["config"]["general"]["run"] = "1e-3"
    pretrain["config"]["general"]["project"] = None
    made = Context(a_training_run(pretrain=pretrain), SETTINGS)
    manifest = need(made)[1].manifest
    assert manifest is not None
    general = read(manifest, "trainingrun.yaml").spec.pretrain.config["general"]
    assert (general["run"], general["project"]) == ("1e-3", None)


def test_gpu_hours_are_told_once_there_are_any() -> None:
    assert "gpuHours" not in need(context())[1].provenance
    run = a_training_run()
    hours = {"useful": 3.5, "lost": {"Killed": 0.5}}
    status = run.status.model_copy(update={"gpu_hours": run.status.gpu_hours.model_validate(hours)})
    spent = Context(run.model_copy(update={"status": status}), SETTINGS)
    assert need(spent)[1].provenance["gpuHours"] == hours


def test_sources_carry_language_and_licence_where_they_are_given() -> None:
    data = copy.deepcopy(a_manifest()["spec"]["data"])
    data[0] |= {"language": "it", "license": "odc-by"}
    sources = need(Context(a_training_run(data=data), SETTINGS))[1].provenance["data"]
    assert (sources[0]["language"], sources[0]["license"]) == ("it", "odc-by")
    assert "language" not in sources[1]


def test_a_type_that_is_asked_for_twice_is_written_once() -> None:
    assert need(context(gguf=["f16", "f16"]))[1].gguf == ("f16",)
