"""The configuration of a model that goes on at another context length."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.contract import SftSpec
from trainingrun_workers.sft import positions, settings
from trainingrun_workers.volume import Volume

OLD = {"max_position_embeddings": 4096, "rope_theta": 20000.0}
NEW = {"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "default", "rope_theta": 20000.0}}


def base(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_longer_context_gives_the_model_as_many_positions_and_says_so(tmp_path: Path) -> None:
    config = {"sequence_len": 32768}
    model = base(tmp_path, OLD)
    assert positions.overrides(config, model) == {"max_position_embeddings": 32768}
    (note,) = positions.notes(config, model)
    assert note.startswith("The model's max_position_embeddings goes from 4,096 to 32,768, and RoPE stays as it was")


@pytest.mark.parametrize("length", [2048, 4096])
def test_a_context_that_the_model_has_changes_nothing(tmp_path: Path, length: int) -> None:
    assert positions.overrides({"sequence_len": length}, base(tmp_path, OLD)) == {}
    assert positions.notes({"sequence_len": length}, tmp_path) == ()


def test_positions_that_are_given_are_kept(tmp_path: Path) -> None:
    config = {"sequence_len": 32768, "model_config": {"max_position_embeddings": 65536}}
    assert positions.overrides(config, base(tmp_path, OLD)) == config["model_config"]
    assert "from 4,096 to 65,536" in positions.notes(config, tmp_path)[0]


@pytest.mark.parametrize("model", [OLD, NEW], ids=["old", "new"])
@pytest.mark.parametrize(
    ("given", "rope"),
    [
        ({"rope_theta": 1e6}, {"rope_type": "default", "rope_theta": 1e6}),
        ({"rope_scaling": {"type": "linear", "factor": 8.0}},
         {"rope_type": "linear", "rope_theta": 20000.0, "factor": 8.0}),
        ({"rope_theta": 1e6, "rope_scaling": {"rope_type": "dynamic", "factor": 2.0}},
         {"rope_type": "dynamic", "rope_theta": 1e6, "factor": 2.0}),
    ],
)  # fmt: skip
def test_rope_is_written_where_transformers_reads_it(
    tmp_path: Path, model: dict[str, Any], given: dict[str, Any], rope: dict[str, Any]
) -> None:
    made = positions.overrides({"sequence_len": 8192, "model_config": given}, base(tmp_path, model))
    assert made == {"rope_parameters": rope, "max_position_embeddings": 8192}


@pytest.mark.parametrize("continues", [True, False])
def test_only_continued_pretraining_changes_the_model_s_configuration(tmp_path: Path, continues: bool) -> None:
    base(tmp_path, OLD)
    config: dict[str, Any] = {"sequence_len": 8192, "datasets": []}
    spec = SftSpec(".", config, 1, 1, True, 60.0, continues=continues)
    made = settings.axolotl_config(spec, Volume(tmp_path), tmp_path / "out", tmp_path / "prepared", None)
    assert made.get("model_config") == ({"max_position_embeddings": 8192} if continues else None)
