"""What Axolotl is given: the configuration that the operator has translated, with the paths of this pod."""

import copy
import os
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import SftSpec
from trainingrun_workers.sft import positions
from trainingrun_workers.volume import Volume

PLUGIN: Final = "trainingrun_workers.sft.plugin.ProgressPlugin"
SMALL_BYTES: Final = 16 * 2**20  # data below it are tokenized in one process: others take longer to start
DEFAULT_SEED: Final = 42
_HUB: Final = "hf://"
_QUIET: Final = {
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
    "AXOLOTL_TEE_STDOUT": "0",  # the pod's log has it; a copy on the volume would grow with each attempt
    "PYTHONWARNINGS": "ignore",
}


# What only the training needs, and what a pod without a GPU is refused for; none of it changes the prepared data.
_OF_TRAINING: Final = (
    "bf16", "fp16", "tf32", "bfloat16", "float16", "fp8", "fp8_config", "fsdp_config", "fsdp_version", "dp_shard_size",
    "dp_replicate_size", "tensor_parallel_size", "context_parallel_size", "sequence_parallel_degree", "torch_compile",
    "gradient_checkpointing", "activation_offloading", "layer_offloading",
)  # fmt: skip


def without_gpus(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration for GPUs as it prepares the same data without one."""
    kept = {key: value for key, value in config.items() if key not in _OF_TRAINING}
    return kept | {"bf16": False, "attn_implementation": "sdpa"}


def axolotl_config(spec: SftSpec, volume: Volume, output: Path, prepared: Path, resume: Path | None) -> dict[str, Any]:
    """The configuration that runs: base model, data and outputs are paths of this pod.

    `output` is where the trainer writes, `prepared` where tokenized conversations lie and `resume` the checkpoint to go
    on from. That is named, since Axolotl's own search takes empty ones too, and comes too late for the counts of tokens
    to be restored.
    """
    config = copy.deepcopy(spec.config)
    for key in ("datasets", "test_datasets"):
        for item in config.get(key) or ():
            _locate(item, volume)
    config |= {
        "base_model": str(volume.path(spec.base)),
        "output_dir": str(output),
        "dataset_prepared_path": str(prepared),
        "auto_resume_from_checkpoints": False,
        "resume_from_checkpoint": str(resume) if resume else None,
        "save_only_model": False,  # without the optimizer's state a resumed run would be another one
        "include_tkps": True,  # counts the tokens
        "plugins": [*(config.get("plugins") or ()), PLUGIN],
    }
    changed = positions.overrides(config, volume.path(spec.base)) if spec.continues else {}
    if changed:
        config["model_config"] = changed
    config["seed"] = seed(config)
    if _local_bytes(config) < SMALL_BYTES:
        config.setdefault("dataset_num_proc", 0)
    if spec.cpu:
        config.setdefault("dataloader_num_workers", 0)  # there is no GPU to keep busy meanwhile
        config["dataloader_pin_memory"] = False
    return config


def seed(config: dict[str, Any]) -> int:
    """The seed of a configuration, or that of one which names none."""
    return int(config.get("seed", DEFAULT_SEED))


def restore_data_sets(config: Any, given: dict[str, Any]) -> None:
    """Put back what Axolotl's validation has dropped of the data sets.

    It takes each for one of several kinds by the number of keys that it knows, and drops the others without a word:
    field_chosen of a data set of pairs, for example, which has ds_type as well.
    """
    for key in ("datasets", "test_datasets"):
        pairs = zip(config[key] or (), given.get(key) or (), strict=True)
        restored = [
            type(validated)({**validated, **item}) for validated, item in pairs
        ]  # which reads keys as attributes
        if restored:
            config[key] = restored


def environment(spec: SftSpec) -> dict[str, str]:
    """Variables of the ranks beside those of the pod."""
    if not spec.cpu:
        return dict(_QUIET)
    threads = os.environ.get("OMP_NUM_THREADS") or str(len(os.sched_getaffinity(0)))
    # Passive, since threads that spin while another pod has the core make each step take many times as long.
    return {**_QUIET, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive"}


def is_remote(path: str) -> bool:
    """Whether a data set's path leads elsewhere than to the volume."""
    return "://" in path


def needs_network(config: dict[str, Any]) -> bool:
    """Whether any data set of the configuration lies elsewhere than on the volume."""
    items = [item for key in ("datasets", "test_datasets") for item in config.get(key) or ()]
    return any(is_remote(item["path"]) for item in items)


def _locate(item: dict[str, Any], volume: Volume) -> None:
    if item["path"].startswith(_HUB):
        item["path"] = item["path"].removeprefix(_HUB)
        return
    if is_remote(item["path"]):
        return
    path = volume.path(item["path"])
    item["path"] = str(path)
    names = item.get("data_files")
    if names:
        relative = [names] if isinstance(names, str) else names
        item["data_files"] = [str(volume.path(str(path / name))) for name in relative]


def _local_bytes(config: dict[str, Any]) -> int:
    """Bytes of all data, without bound where some of it is not on the volume."""
    total = 0
    for item in config.get("datasets") or ():
        path = Path(item["path"])
        if not path.exists():
            return SMALL_BYTES
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        total += sum(one.stat().st_size for one in files)
    return total
