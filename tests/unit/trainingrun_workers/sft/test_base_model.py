import json
from pathlib import Path

import pytest

from trainingrun_workers.errors import BadData, Retry
from trainingrun_workers.sft import base_model


def model(folder: Path) -> Path:
    header = json.dumps({"__metadata__": {}, "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"12345678")
    return folder


def test_a_whole_model_passes(tmp_path: Path) -> None:
    base_model.check(model(tmp_path))


def test_a_model_that_is_not_there_yet_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Retry, match="There is no model at"):
        base_model.check(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(Retry, match="has no safetensors weights"):
        base_model.check(tmp_path)


def test_a_model_of_the_user_s_own_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"put it there, or correct the variant's base\.path"):
        base_model.check(tmp_path, own=True)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadData, match="safetensors weights"):
        base_model.check(tmp_path, own=True)
    base_model.check(model(tmp_path), own=True)


@pytest.mark.parametrize("length", [0, 4, 20, -1])
def test_torn_weights_are_refused(tmp_path: Path, length: int) -> None:
    weights = model(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:length])

    with pytest.raises(BadData, match="are not as long as their header says"):
        base_model.check(tmp_path)
