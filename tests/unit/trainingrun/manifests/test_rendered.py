"""What is rendered for a whole run: safe, small, and nothing that the values don't name."""

import json
import re
from typing import Any

import pytest

from builders import REPOSITORY, SETTINGS, World, a_manifest, a_manifest_that_compares, a_training_run
from manifest_changes import A_JUDGE, chained
from trainingrun.api import names
from trainingrun.manifests.meta import Child
from trainingrun.stages.instances import instances
from trainingrun.stages.settings import Settings
from trainingrun_workers.contract import StageInput


def rendered(manifest: dict[str, Any] | None = None, settings: Settings = SETTINGS) -> list[dict[str, Any]]:
    return World(manifest, settings).finished().everything_ever_applied


def templates(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    jobs = [one["spec"]["template"] for one in objects if one["kind"] == "Job"]
    gangs = [one["spec"]["pytorchReplicaSpecs"].values() for one in objects if one["kind"] == "PyTorchJob"]
    return jobs + [replica["template"] for gang in gangs for replica in gang]


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    return rendered()


def test_every_pod_keeps_to_pod_security_restricted(objects: list[dict[str, Any]]) -> None:
    for template in templates(objects):
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert {next(iter(set(volume) - {"name"})) for volume in pod["volumes"]} <= {
            "persistentVolumeClaim", "configMap", "projected", "emptyDir",
        }  # fmt: skip
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_no_pod_has_rights_on_the_api_server(objects: list[dict[str, Any]]) -> None:
    for template in templates(objects):
        assert template["spec"]["automountServiceAccountToken"] is False
        tokens = [volume["projected"]["sources"] for volume in template["spec"]["volumes"] if "projected" in volume]
        audiences = [source["serviceAccountToken"]["audience"] for sources in tokens for source in sources]
        assert audiences == [names.TOKEN_AUDIENCE]


def test_only_images_that_the_settings_name_are_rendered(objects: list[dict[str, Any]]) -> None:
    found = {container["image"] for template in templates(objects) for container in template["spec"]["containers"]}
    assert found == set(SETTINGS.images.values())
    assert not re.search(r'"(init)?[iI]mage[A-Za-z]*": "(?!registry\.example/|IfNotPresent)', json.dumps(objects))


def test_a_job_of_several_pods_replaces_one_that_dies_and_fails_at_once_by_what_only_the_user_can_mend(
    objects: list[dict[str, Any]],
) -> None:
    jobs = [one["spec"] for one in objects if one["kind"] == "Job" and one["spec"]["completions"] > 1]
    assert {one["template"]["spec"]["containers"][0]["args"][0] for one in jobs} == {"tokenize"}
    for spec in jobs:
        assert "backoffLimit" not in spec, "With it the first failure would end the whole Job."
        assert (spec["completionMode"], spec["backoffLimitPerIndex"]) == ("Indexed", 2)
        assert spec["podReplacementPolicy"] == "Failed"
        fatal, disrupted, stopped = spec["podFailurePolicy"]["rules"]
        assert (fatal["action"], fatal["onExitCodes"]["values"]) == ("FailJob", [65, 78])
        assert (disrupted["action"], disrupted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
        assert (stopped["action"], stopped["onExitCodes"]["values"]) == ("Ignore", [143])
        containers = {one["onExitCodes"]["containerName"] for one in (fatal, stopped)}
        assert containers == {one["name"] for one in spec["template"]["spec"]["containers"]}


def test_secrets_reach_the_pods_that_tokenize_by_reference_and_no_others() -> None:
    manifest = a_manifest()
    manifest["spec"]["data"][0] |= {"path": "s3://bucket/en", "secretName": "s3"}
    manifest["spec"]["data"][1] |= {"path": "hf://datasets/owner/name", "secretName": "hub"}
    found = {
        template["spec"]["containers"][0]["args"][0]: template["spec"]["containers"][0].get("envFrom")
        for template in templates(rendered(manifest))
    }
    assert found.pop("tokenize") == [{"secretRef": {"name": "hub"}}, {"secretRef": {"name": "s3"}}]
    assert set(found.values()) == {None}


def test_the_operator_has_no_right_to_read_secrets() -> None:
    rights = (REPOSITORY / "helm" / "trainingrun" / "templates" / "rbac.yaml").read_text()
    assert "secrets" not in rights.lower()


def test_other_pods_are_never_restarted_by_anybody_but_the_operator(objects: list[dict[str, Any]]) -> None:
    for template in templates(objects):
        assert template["spec"]["restartPolicy"] == "Never"
    for one in objects:
        if one["kind"] == "Job" and one["spec"]["completions"] == 1:
            assert one["spec"]["backoffLimit"] == 0
        if one["kind"] == "PyTorchJob":
            assert one["spec"]["runPolicy"] == {"cleanPodPolicy": "None"}
            assert {replica["restartPolicy"] for replica in one["spec"]["pytorchReplicaSpecs"].values()} == {"Never"}


def test_every_child_is_owned_by_the_run_and_carries_its_labels(objects: list[dict[str, Any]]) -> None:
    for one in objects:
        assert [owner["kind"] for owner in one["metadata"]["ownerReferences"]] == ["TrainingRun"]
        assert {names.LABEL_RUN, names.LABEL_STAGE, names.LABEL_ATTEMPT} <= set(one["metadata"]["labels"])


def test_every_stage_input_can_be_read_back_by_the_workers() -> None:
    manifest = a_manifest_that_compares()
    manifest["spec"]["judge"] = A_JUDGE
    objects = rendered(manifest)
    longer = a_manifest()
    chained("cpt")(longer)
    objects += World(longer).pretrained().finishes_batch("convert").everything_ever_applied
    documents = [one["data"][names.INPUT_FILE] for one in objects if one["kind"] == "ConfigMap"]
    assert {StageInput.from_json(text).kind for text in documents} == {*names.STAGE_KINDS} - {"prepare"}
    for text in documents:
        assert StageInput.from_json(text).to_json() == text


def test_names_of_objects_and_pods_fit_even_for_the_longest_run_and_variant() -> None:
    manifest = a_manifest("r" * names.MAX_RUN_NAME)
    manifest["spec"]["variants"][0]["name"] = "v" * names.MAX_VARIANT_NAME
    world = World(manifest).pretrained()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    longest = max(world.objects, key=len).split("/")[1]
    assert len(longest) + len("-worker-99") <= 63


@pytest.mark.parametrize(("kinds", "length"), [("sft dpo cpt", 12), ("sft sft dpo dpo cpt cpt", 10)])
def test_names_fit_for_the_longest_chain_with_gpus(kinds: str, length: int) -> None:
    tuning = {"config": {}}  # which would be refused: only the names are looked at
    variant = {"name": "v" * length, "stages": [{kind: tuning} for kind in kinds.split()]}
    run = a_training_run("r" * names.MAX_RUN_NAME, variants=[variant])
    for one in instances(run.spec):
        gang_s = "-worker-9" if one.is_gang else ""
        assert len(Child(run.metadata, one.name, 999).name + gang_s) <= 63


def test_a_gang_of_one_has_no_worker_replicas_since_zero_would_make_a_pod() -> None:
    gangs = {
        one["metadata"]["labels"][names.LABEL_STAGE]: set(one["spec"]["pytorchReplicaSpecs"])
        for one in rendered()
        if one["kind"] == "PyTorchJob"
    }
    assert gangs == {"pretrain": {"Master", "Worker"}, "sft-translate": {"Master"}, "dpo-prefer": {"Master"}}


def test_gpus_devices_and_the_network_profile_reach_the_gang() -> None:
    manifest = a_manifest()
    pretrain = manifest["spec"]["pretrain"]
    pretrain |= {"nodes": 8, "gpusPerNode": 8, "resources": {}, "tolerations": [{"key": "gpu", "operator": "Exists"}]}
    pretrain["network"] = {
        "profile": "infiniband", "socketInterfaces": ["ib0", "eno"], "resources": {"rdma/hca": 1},
        "nccl": {"IB_HCA": "mlx5", "IB_DISABLE": "1"},
    }  # fmt: skip
    pretrain["config"]["parallelism"] = {"dp": 64, "tp": 1, "pp": 1}
    world = World(manifest).settle().completes("tokenize").settle()
    gang = world.objects["PyTorchJob/tiny-pretrain-a1"]["spec"]
    assert gang["nprocPerNode"] == "8"
    assert gang["pytorchReplicaSpecs"]["Worker"]["replicas"] == 7
    container = gang["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "8", "rdma/hca": "1"}
    environment = {one["name"]: one.get("value") for one in container["env"]}
    node = {"name": "TRAININGRUN_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    assert node in container["env"], "who is slow is told by its node"
    assert environment["NCCL_SOCKET_IFNAME"] == "ib0,eno"
    assert environment["NCCL_IB_HCA"] == "mlx5"
    assert environment["NCCL_IB_DISABLE"] == "1", "what a run says wins over the profile"
    assert "OMP_NUM_THREADS" not in environment  # no CPUs are asked for


@pytest.mark.parametrize(("cpus", "threads"), [("32", "4"), ("7500m", "1"), ("20", "2")])
def test_each_rank_of_a_pod_gets_its_share_of_the_pods_cpus(cpus: str, threads: str) -> None:
    manifest = a_manifest()
    pretrain = manifest["spec"]["pretrain"]
    pretrain |= {"nodes": 8, "gpusPerNode": 8, "resources": {"requests": {"cpu": cpus}}}
    pretrain["config"]["parallelism"] = {"dp": 64, "tp": 1, "pp": 1}
    world = World(manifest).settle().completes("tokenize").settle()
    gang = world.objects["PyTorchJob/tiny-pretrain-a1"]["spec"]
    environment = gang["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "OMP_NUM_THREADS", "value": threads} in environment
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in environment


def test_an_attempts_objects_are_the_same_however_often_they_are_rendered(objects: list[dict[str, Any]]) -> None:
    assert json.dumps(rendered(), sort_keys=True) == json.dumps(objects, sort_keys=True)
