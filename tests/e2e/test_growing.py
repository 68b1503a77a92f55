"""A finished run gets comparisons and a variant on the real cluster: only those are made, nothing is trained twice."""

import copy
import json
from collections.abc import Callable
from typing import Any

import yaml

from e2e import volume
from e2e.trial import QUICKSTART, Trial

LINES = "i=0; while [ $i -lt 80 ]; do i=$((i+1)); echo '{\"text\": \"Package '$i' was installed by apt.\"}'; done"


def longer_context(base: str) -> dict[str, Any]:
    """A variant that goes on training a model on plain text, with twice the positions that it has."""
    sft = copy.deepcopy(yaml.safe_load(QUICKSTART.read_text())["spec"]["variants"][0]["stages"][0]["sft"])
    sft["recovery"] = {"backoff": "1s"}
    sft["config"] |= {
        "datasets": [{"path": "texts/lines.jsonl", "ds_type": "json", "type": "completion", "field": "text"}],
        "sequence_len": 512, "max_steps": 4, "save_steps": 4, "gradient_accumulation_steps": 1,
    }  # fmt: skip
    return {"name": "longer", "base": {"path": base}, "stages": [{"cpt": sft}]}


def document(data: volume.Visit, path: str) -> dict[str, Any]:
    return dict(json.loads(data.sh(f"cat {path}")))


def test_a_finished_run_is_compared_and_gets_a_variant_of_a_released_model(
    trial: Callable[..., Trial], data: volume.Visit
) -> None:
    run = trial("grows", steps=60, seed=261)
    run.spec["release"]["gguf"] = ["q8_0"]
    run.apply().until_phase("Succeeded", 300)
    released = run.stage("release")["folder"] + "/model"
    assert data.sh(f"ls {released}/*.gguf").strip()

    data.sh(f"mkdir -p texts && ({LINES}) > texts/lines.jsonl")
    run.patch(
        {
            "evaluate": {"compareWith": [{"name": "itself", "path": released}]},
            "variants": [longer_context(released)],
        }
    )
    run.until_stage("release-longer", "Succeeded", 300)
    run.until("the report has all three", lambda: run.stage("report").get("attempt") == 2, 60)
    run.until_phase("Succeeded", 120)

    assert {run.stage(one)["attempt"] for one in ("tokenize", "pretrain", "release")} == {1}
    models = document(data, run.stage("report")["folder"] + "/comparison.json")["models"]
    assert [one["name"] for one in models] == ["grows", "grows-longer", "itself"]
    assert models[0]["scores"] == models[2]["scores"], "the same weights, asked the same"
    config = document(data, run.stage("release-longer")["folder"] + "/model/config.json")
    assert config["max_position_embeddings"] == 512
