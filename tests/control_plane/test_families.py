"""The models of examples/ are rendered by kubectl, accepted by the API server, and share what they have in common."""

import copy
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, utils
from local_cluster.api_only import api_server
from local_cluster.programs import built

from builders import a_manifest
from families import BASES, POST_TRAINED, REPORT, SMALL, Kubectl, model, rendered
from published import axolotl, nanotron
from trainingrun.api.crd import crd
from trainingrun.api.policies import policies
from trainingrun.api.training_run import TrainingRun
from trainingrun.api.yaml_text import dumped
from trainingrun.cli import main
from trainingrun.stages.layout import Place, places
from trainingrun.stages.translated import translated

SEVEN = (*BASES, *POST_TRAINED)
SMALL_BASES = ("en-it", "en-es", "en-fr", "en-pt")
# What the report's files say and what does not run, or contradicts them: examples/zagreus/README.md.
NANOTRON_LEFT_OUT = ("checkpoints__checkpoints_path", "checkpoints__resume_checkpoint_path")
AXOLOTL_LEFT_OUT = (
    "base_model", "output_dir", "dataset_prepared_path", "cosine_constant_lr_ratio", "cosine_min_lr_ratio",
)  # fmt: skip


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl with an API server that has the definition and asks the policies."""
    with api_server(tmp_path_factory.mktemp("families")) as kubeconfig:

        def run(*arguments: str, stdin: str | None = None) -> str:
            command = [str(built("kubernetes") / "kubectl"), "--kubeconfig", str(kubeconfig), *arguments]
            return subprocess.run(command, check=True, capture_output=True, text=True, input=stdin).stdout

        api = config.new_client_from_config(str(kubeconfig))
        for document in (crd(), *policies("trainingrun")):
            utils.create_from_dict(api, document)
        wait_until_asked(client.CustomObjectsApi(api))
        yield run


def wait_until_asked(runs: client.CustomObjectsApi) -> None:
    """Wait until the API server refuses what only the policy refuses."""
    bad = a_manifest("bad")
    bad["spec"]["pretrain"]["nodes"] = 3
    place = {"group": "trainingrun.dev", "version": "v1alpha1", "namespace": "default", "plural": "trainingruns"}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            runs.create_namespaced_custom_object(**place, body=bad, dry_run="All")
        except client.ApiException as error:
            if "gpusPerNode give 3" in str(error.body):
                return
        time.sleep(0.1)
    raise AssertionError("The policies are not asked after 30 s.")


def places_of(manifest: dict[str, Any]) -> dict[str, Place]:
    run = TrainingRun.from_object(manifest)
    return places(run, translated(run))


@pytest.mark.parametrize("name", SEVEN)
def test_each_of_the_reports_models_is_accepted_by_the_api_server(kubectl: Kubectl, name: str) -> None:
    said = kubectl("apply", "--dry-run=server", "-k", str(REPORT / "models" / name))
    assert said.splitlines() == [
        f"trainingrun.trainingrun.dev/{model(kubectl, name)['metadata']['name']} created (server dry run)"
    ]


@pytest.mark.parametrize("family", [REPORT, SMALL], ids=lambda folder: folder.name)
def test_a_whole_family_is_a_claim_and_four_runs(kubectl: Kubectl, family: Any) -> None:
    said = kubectl("apply", "--dry-run=server", "-k", str(family))
    assert said.count("created (server dry run)") == 5
    claim, *runs = rendered(kubectl, family)
    assert claim["kind"] == "PersistentVolumeClaim"
    assert {one["spec"]["storage"]["claimName"] for one in runs} == {claim["metadata"]["name"]}


def test_the_policy_refuses_a_model_of_the_report_whose_gang_is_too_small(kubectl: Kubectl) -> None:
    manifest = model(kubectl, "zagreus-ita")
    manifest["spec"]["pretrain"]["nodes"] = 4
    with pytest.raises(subprocess.CalledProcessError) as error:
        kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
    assert "gpusPerNode give 32" in error.value.stderr


@pytest.mark.parametrize("name", SEVEN)
def test_check_has_nothing_to_warn_of_and_plan_has_the_reports_sizes(
    kubectl: Kubectl, name: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(dumped(model(kubectl, name)))
    assert main(["check", str(file)]) == 0
    said = capsys.readouterr().out
    assert "error:" not in said and "warning:" not in said
    assert main(["plan", "-o", "json", str(file)]) == 0
    gangs = [one for one in json.loads(capsys.readouterr().out)["items"] if one["kind"] == "PyTorchJob"]
    nodes = {one["metadata"]["labels"]["trainingrun.dev/stage"]: pods(one) for one in gangs}
    variant = POST_TRAINED.get(name)
    assert nodes == {"pretrain": 8, **({f"sft-{variant}": 4} if variant else {})}
    for gang in gangs:
        assert gang["spec"]["nprocPerNode"] == "8"
        assert environment(gang).items() >= OF_THE_SCRIPTS.items()


# What the report's batch scripts export, with the CPUs of a task shared among the processes that torchrun starts.
OF_THE_SCRIPTS = {
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "OMP_NUM_THREADS": "4",
    "NCCL_IB_DISABLE": "0",
    "NCCL_SOCKET_IFNAME": "ib0,eno,eth",
    "WANDB_MODE": "disabled",
}


def pods(gang: dict[str, Any]) -> int:
    return sum(one["replicas"] for one in gang["spec"]["pytorchReplicaSpecs"].values())


def environment(gang: dict[str, Any]) -> dict[str, str]:
    (container,) = gang["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value") for one in container["env"]}


@pytest.mark.parametrize(
    ("names", "family", "shared"),
    [(BASES, REPORT, {"fineweb-edu-350bt", "starcoder"}), (SMALL_BASES, SMALL, {"handbook-en", "python"})],
    ids=["report", "small"],
)
def test_english_and_code_are_the_same_tokens_in_all_four_and_nothing_else_is(
    kubectl: Kubectl, names: tuple[str, ...], family: Any, shared: set[str]
) -> None:
    each = [places_of(model(kubectl, name, family))["tokenize"].tokens for name in names]
    for source in shared:
        assert len({tokens[source] for tokens in each}) == 1
    own = [folder for tokens in each for source, folder in tokens.items() if source not in shared]
    assert len(set(own)) == len(own) >= 4


@pytest.mark.parametrize("name", POST_TRAINED)
def test_a_post_trained_model_is_the_italian_run_with_one_more_variant(kubectl: Kubectl, name: str) -> None:
    base, variant = model(kubectl, "zagreus-ita"), model(kubectl, name)
    assert variant["metadata"] == base["metadata"]
    assert [one["name"] for one in variant["spec"]["variants"]] == [POST_TRAINED[name]]
    before, after = places_of(base), places_of(variant)
    assert {stage for stage in before if after[stage] != before[stage]} == {"report"}, "the variant belongs into it"
    assert after.keys() > before.keys()
    assert variant["spec"] | {"variants": []} == base["spec"]


def test_the_italian_run_has_all_three_variants_in_the_whole_family(kubectl: Kubectl) -> None:
    runs = [one for one in rendered(kubectl, REPORT) if one["kind"] == "TrainingRun"]
    variants = {one["metadata"]["name"]: [each["name"] for each in one["spec"]["variants"]] for one in runs}
    assert variants.pop("zagreus-0-4b-ita") == ["instruct", "agentic", "open"]
    assert list(variants.values()) == [[], [], []]


@pytest.mark.parametrize("name", BASES)
def test_nanotrons_configuration_is_the_reports_but_for_what_does_not_run(kubectl: Kubectl, name: str) -> None:
    expected = nanotron(tokens__train_steps=800_000, **dict.fromkeys(NANOTRON_LEFT_OUT))
    expected["data_stages"] = copy.deepcopy(expected["data_stages"])
    del expected["data_stages"][0]["data"]["dataset"]
    assert model(kubectl, name)["spec"]["pretrain"]["config"] == expected


@pytest.mark.parametrize("name", POST_TRAINED)
def test_axolotls_configuration_is_the_reports_but_for_what_does_not_run(kubectl: Kubectl, name: str) -> None:
    (variant,) = model(kubectl, name)["spec"]["variants"]
    found = variant["stages"][0]["sft"]["config"]
    expected = axolotl(special_tokens__pad_token="<|finetune_right_pad_id|>", **dict.fromkeys(AXOLOTL_LEFT_OUT))
    for one in (found, expected):
        one["chat_template_jinja"] = "".join(one["chat_template_jinja"].split())
    datasets = found.pop("datasets")
    assert [each | {"path": "/training/openitaliandata"} for each in datasets] == expected.pop("datasets")
    assert found == expected
    assert (datasets[0]["path"] == "/training/openitaliandata") == (name == "open-zagreus")
