"""The files of a released folder."""

import json
import stat
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.assembly import (
    copy_model,
    publish,
    set_special_tokens,
    weights_dtype,
    write_checksums,
)


def write_safetensors(file: Path, **dtypes: tuple[str, int]) -> None:
    """A file of zeros: tensors by name, each of a dtype and a number of bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, (dtype, size) in dtypes.items():
        header[name] = {"dtype": dtype, "shape": [size], "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(place))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", norm=("F32", 8), weight=("BF16", 64))
    config = {"model_type": "llama", "use_cache": False, "torch_dtype": "float32", "_name_or_path": "/volume/x"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "è", "name_or_path": "/volume/y"}))
    (folder / "training_args.bin").touch()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / ".tmp.new"
    folder.mkdir()
    return folder


def test_a_dtype_is_that_of_most_weights(model: Path) -> None:
    assert weights_dtype(model / "model.safetensors") == "bfloat16"


def test_what_only_the_making_needed_is_set_right(model: Path, target: Path) -> None:
    assert copy_model(model, target, is_chat=False) == "bfloat16"
    assert json.loads((target / "config.json").read_text()) == {
        "model_type": "llama", "use_cache": True, "dtype": "bfloat16",
    }  # fmt: skip
    assert json.loads((target / "tokenizer_config.json").read_text()) == {
        "model_input_names": ["input_ids", "attention_mask"], "eos_token": "è",
    }  # fmt: skip
    assert not (target / "training_args.bin").exists()
    assert "use_cache" in json.loads((model / "config.json").read_text()), "the model itself was changed"


def test_weights_in_several_files_are_copied_with_their_index(model: Path, target: Path) -> None:
    for part in ("00001", "00002"):
        (model / "model.safetensors").rename(model / f"model-{part}-of-00002.safetensors")
        write_safetensors(model / "model.safetensors", weight=("F16", 4))
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text("{}")
    copy_model(model, target, is_chat=False)
    assert {one.name for one in target.glob("model*")} == {
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
    }  # fmt: skip


def test_a_chat_model_needs_a_template_wherever_it_is_kept(model: Path, target: Path) -> None:
    with pytest.raises(BadConfig, match="has no chat template"):
        copy_model(model, target, is_chat=True)
    (model / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    copy_model(model, target, is_chat=True)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_weights_or_configuration_is_no_model(model: Path, target: Path, missing: str) -> None:
    (model / missing).unlink()
    with pytest.raises(BadConfig) as caught:
        copy_model(model, target, is_chat=False)
    assert caught.value.reason == "ModelMissing"


def test_the_special_tokens_are_the_tokenizers_and_generation_is_greedy(model: Path) -> None:
    (model / "generation_config.json").write_text(json.dumps({"temperature": 0.6, "top_p": 0.9, "do_sample": True}))
    set_special_tokens(model, {"eos_token_id": 3, "bos_token_id": 0, "pad_token_id": None})
    generation = json.loads((model / "generation_config.json").read_text())
    assert generation == {"bos_token_id": 0, "eos_token_id": 3, "do_sample": False}
    assert json.loads((model / "config.json").read_text())["eos_token_id"] == 3


def test_checksums_hold_until_a_file_changes(model: Path) -> None:
    write_checksums(model)
    check = ["sha256sum", "--check", "--status", "checksums.sha256"]
    assert subprocess.run(check, cwd=model, check=False).returncode == 0
    (model / "config.json").write_text("{}")
    assert subprocess.run(check, cwd=model, check=False).returncode == 1


def test_a_folder_is_published_over_a_half_made_one_and_readable_for_all(tmp_path: Path, target: Path) -> None:
    (target / "a").write_text("new")
    (target / "a").chmod(0o600)
    half = tmp_path / "published"
    half.mkdir()
    (half / "b").touch()
    publish(target, half)
    assert [(one.name, stat.S_IMODE(one.stat().st_mode)) for one in half.iterdir()] == [("a", 0o644)]
    assert {one.name for one in tmp_path.iterdir()} == {"published"}
