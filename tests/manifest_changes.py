"""Changes to a manifest: one by its path, several together, and those that several tests make."""

import copy
from collections.abc import Callable
from typing import Any

import yaml

from builders import REPOSITORY

Manifest = dict[str, Any]
REPORTS = REPOSITORY / "tests" / "unit" / "trainingrun" / "api" / "reports"

OTHER = {"name": "other", "path": "models/other"}


def put(path: str, value: Any) -> Callable[[Manifest], None]:
    """A change that puts a value at a dotted path below spec; a number is a position, `-` adds to a list."""

    def change(manifest: Manifest) -> None:
        *parents, last = path.split(".")
        place: Any = manifest["spec"]
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if last == "-":
            place.append(copy.deepcopy(value))
        else:
            place[int(last) if isinstance(place, list) else last] = copy.deepcopy(value)

    return change


CUSTOM_PRETRAIN: dict[str, Any] = {
    "engine": "custom", "nodes": 1, "gpusPerNode": 0, "checkpoints": {"every": 300},
    "custom": {
        "image": "tiny", "command": ["python", "engine.py"], "steps": 900, "tokensPerStep": 2048, "sequenceLength": 256,
        "vocabSize": 4096,
    },
    "config": {"anything": {"goes": [1, "two"]}, "parallelism": {"dp": 7, "tp": 7, "pp": 7}},
}  # fmt: skip


def custom(**changes: Any) -> Callable[[Manifest], None]:
    """A change that lets an engine of the user's own train, with changes to what it runs; None leaves a part out."""
    own = {key: value for key, value in (CUSTOM_PRETRAIN["custom"] | changes).items() if value is not None}
    return put("pretrain", CUSTOM_PRETRAIN | {"custom": own})


def drop(path: str) -> Callable[[Manifest], None]:
    """A change that takes away what is at a dotted path below spec."""

    def change(manifest: Manifest) -> None:
        *parents, last = path.split(".")
        place: Any = manifest["spec"]
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        del place[int(last) if isinstance(place, list) else last]

    return change


def both(*changes: Callable[[Manifest], Any]) -> Callable[[Manifest], None]:
    """Several changes, one after the other."""

    def change(manifest: Manifest) -> None:
        for one in changes:
            one(manifest)

    return change


def named(name: str) -> Callable[[Manifest], None]:
    """Another name for the run."""
    return lambda manifest: manifest["metadata"].__setitem__("name", name)


A_JUDGE: Manifest = {
    "secretName": "judge", "prompts": "judge/prompts.jsonl", "gpus": 0,
    "between": [{"name": "base"}, {"name": "translate"}, {"name": "Qwen3-0.6B", "path": "models/Qwen3-0.6B"}],
}  # fmt: skip


def judged(*more: Manifest) -> Manifest:
    """A judge of the base model and of others."""
    return A_JUDGE | {"between": [{"name": "base"}, *more]}


def report_sized(manifest: Manifest) -> None:
    """The published configurations on the published number of GPUs."""
    nanotron = yaml.safe_load((REPORTS / "nanotron_bilingual_0_4b.yaml").read_text())
    axolotl = yaml.safe_load((REPORTS / "axolotl_sft_fsdp.yaml").read_text())
    spec = manifest["spec"]
    folders = nanotron["data_stages"][0]["data"]["dataset"]["dataset_folder"]
    spec["data"] = [{"name": f"source-{index}", "path": path} for index, path in enumerate(folders)]
    size = {"nodes": 8, "gpusPerNode": 8}
    spec["pretrain"] = {**size, "network": {"profile": "infiniband"}, "config": nanotron}
    spec["evaluate"] = {"checkpoints": {"every": 50000}, "tasks": [{"name": "m_mmlu_it", "fewshot": 5}]}
    spec["variants"] = [{"name": "instruct", "stages": [{"sft": {"nodes": 4, "gpusPerNode": 8, "config": axolotl}}]}]


SFT = "variants.0.stages.0.sft"
PAIRS = {"path": "sft/pairs.jsonl", "type": "chat_template.default"}
TEXTS = {"path": "texts/books.jsonl", "type": "completion", "field": "text"}


def stage_of(kind: str, manifest: Manifest) -> dict[str, Any]:
    """A stage of a variant, of a kind, on one CPU."""
    sft = copy.deepcopy(manifest["spec"]["variants"][0]["stages"][0]["sft"])
    if kind == "dpo":
        sft["config"] |= {"datasets": [PAIRS], "sample_packing": False}
    if kind == "cpt":
        sft["config"] |= {"datasets": [TEXTS], "sequence_len": 1024}
    return {kind: sft}


def chained(*kinds: str) -> Callable[[Manifest], None]:
    """A change that gives the first variant a chain of stages of these kinds, and takes the others away."""

    def change(manifest: Manifest) -> None:
        stages = [stage_of(kind, manifest) for kind in kinds]
        manifest["spec"]["variants"] = [{"name": "translate", "stages": stages}]

    return change


def two_kinds(manifest: Manifest) -> None:
    """A stage of the first variant becomes of two kinds."""
    manifest["spec"]["variants"][0]["stages"][0] |= stage_of("dpo", manifest)


def confusable(manifest: Manifest) -> None:
    """A variant whose only stage is called as the second of another one."""
    chained("sft", "sft")(manifest)
    manifest["spec"]["variants"].append({"name": "translate-2", "stages": [stage_of("sft", manifest)]})


def seventeen_stages(manifest: Manifest) -> None:
    """Three variants with seventeen stages in all."""
    chained(*["sft"] * 6)(manifest)
    first = manifest["spec"]["variants"][0]
    manifest["spec"]["variants"] += [first | {"name": "b"}, {"name": "c", "stages": first["stages"][:5]}]


DELETED = {"claim": {"size": "1Ti"}, "deletionPolicy": "Delete"}
INTERVAL = "pretrain.config.checkpoints.checkpoint_interval"
A_SOURCE = {"name": "python", "path": "raw/more"}


def elsewhere(*sources: str) -> Callable[[Manifest], None]:
    """A change that puts the first sources to other places, each as a scheme and the name of a Secret, if any."""

    def change(manifest: Manifest) -> None:
        for source, (scheme, *secret) in zip(manifest["spec"]["data"], map(str.split, sources), strict=False):
            source |= {"path": f"{scheme}://place/raw"} | ({"secretName": secret[0]} if secret else {})

    return change
