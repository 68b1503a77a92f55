"""The report's fine-tuning as it is rendered: 4 nodes of 8 GPUs."""

from typing import Any

from builders import SETTINGS, a_manifest, with_uid
from manifest_changes import report_sized
from trainingrun.api import names
from trainingrun.api.training_run import TrainingRun
from trainingrun.plan.preview import first_attempts
from trainingrun.stages.context import Context
from trainingrun_workers.contract import SftSpec, StageInput


def objects() -> dict[str, Any]:
    manifest = a_manifest()
    report_sized(manifest)
    sft = manifest["spec"]["variants"][0]["stages"][0]["sft"]
    sft |= {"network": {"profile": "infiniband", "resources": {"rdma/hca": 1}}}
    made = first_attempts(Context(TrainingRun.from_object(with_uid(manifest)), SETTINGS))
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in made}


def test_four_nodes_of_eight_gpus_are_one_gang_of_thirty_two_ranks_under_torchrun() -> None:
    gang = objects()["PyTorchJob/tiny-sft-instruct-a1"]["spec"]
    replicas = gang["pytorchReplicaSpecs"]
    assert gang["nprocPerNode"] == "8"  # torchrun --nproc_per_node, and the two below --nnodes
    assert {role: one["replicas"] for role, one in replicas.items()} == {"Master": 1, "Worker": 3}
    for replica in replicas.values():
        (container,) = replica["template"]["spec"]["containers"]
        environment = {one["name"]: one.get("value") for one in container["env"]}
        assert container["resources"]["limits"] == {"nvidia.com/gpu": "8", "rdma/hca": "1"}
        assert environment["NCCL_IB_DISABLE"] == "0"


def test_its_ranks_share_the_model_as_fsdp_2_spells_it_and_its_data_are_prepared_before() -> None:
    made = objects()
    stage = StageInput.from_json(made["ConfigMap/tiny-sft-instruct-a1"]["data"][names.INPUT_FILE])
    prepare = StageInput.from_json(made["ConfigMap/tiny-prepare-sft-instruct-a1"]["data"][names.INPUT_FILE])
    assert isinstance(stage.spec, SftSpec)
    assert (stage.spec.nodes, stage.spec.processes_per_node, stage.spec.prepared) == (4, 8, prepare.folder)
    assert (stage.spec.config["fsdp_version"], stage.spec.config["attn_implementation"]) == (2, "flash_attention_2")
    assert made["Job/tiny-prepare-sft-instruct-a1"]["spec"]["completions"] == 1
