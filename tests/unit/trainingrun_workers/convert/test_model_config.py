"""A checkpoint's model_config.json: what is taken from it and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.convert.model_config import read_config
from trainingrun_workers.convert.weights import Shape
from trainingrun_workers.errors import StageError

CONFIG: dict[str, Any] = {
    "bos_token_id": 0, "eos_token_id": 1, "hidden_act": "silu", "hidden_size": 128, "initializer_range": 0.02,
    "intermediate_size": 352, "max_position_embeddings": 256, "num_attention_heads": 4, "num_hidden_layers": 3,
    "num_key_value_heads": None, "pad_token_id": None, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
    "vocab_size": 4096, "rope_scaling": None,
}  # fmt: skip


def write(folder: Path, **changes: Any) -> Path:
    (folder / "model_config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


def test_a_llamas_configuration_is_read(tmp_path: Path) -> None:
    assert read_config(write(tmp_path)) == CONFIG


def test_the_shape_follows_from_it_with_as_many_key_heads_as_queries_by_default() -> None:
    assert Shape.of(CONFIG) == Shape(layers=3, heads=4, key_value_heads=4, head_width=32, tied=True)
    assert Shape.of({**CONFIG, "num_key_value_heads": 2}).key_value_heads == 2


@pytest.mark.parametrize("text", ["", "{", None])
def test_a_torn_configuration_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "model_config.json").write_text(text)
    with pytest.raises(StageError, match="model_config.json can't be read") as caught:
        read_config(tmp_path)
    assert (caught.value.exit_code, caught.value.reason) == (65, "CheckpointTorn")


def test_a_configuration_that_nanotron_trains_no_llama_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="has a rope_scaling"):
        read_config(write(tmp_path, rope_scaling={"type": "linear", "factor": 2}))
    (tmp_path / "model_config.json").write_text(json.dumps({"hidden_size": 8}))
    with pytest.raises(StageError, match="lacks bos_token_id"):
        read_config(tmp_path)
