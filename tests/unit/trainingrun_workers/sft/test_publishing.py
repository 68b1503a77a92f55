from pathlib import Path

import pytest

from trainingrun_workers.errors import Retry
from trainingrun_workers.sft.publishing import publish
from trainingrun_workers.volume import read_marker


def trained(folder: Path) -> Path:
    output = folder / "checkpoints"
    (output / "checkpoint-60").mkdir(parents=True)
    for name in ("model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "README.md", "debug.log"):
        (output / name).write_text(name)
    (output / "model.safetensors").chmod(0o600)
    (output / "tokens_state.json").write_text("{}")
    return output


def test_the_models_files_alone_are_moved_and_can_be_read_by_all(tmp_path: Path) -> None:
    model = publish(trained(tmp_path), tmp_path, {"steps": 60})

    assert {path.name for path in model.iterdir()} == {
        "COMPLETE.json", "model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja",
    }  # fmt: skip
    assert (model / "model.safetensors").stat().st_mode & 0o777 == 0o664
    assert read_marker(model) == {"steps": 60}
    assert (tmp_path / "checkpoints/checkpoint-60").is_dir()


def test_what_a_killed_attempt_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-model").mkdir()
    (tmp_path / ".unfinished-model/old").touch()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/old").touch()

    model = publish(trained(tmp_path), tmp_path, {})

    assert not (model / "old").exists()
    assert not (tmp_path / ".unfinished-model").exists()


def test_a_trainer_that_left_no_weights_is_tried_again(tmp_path: Path) -> None:
    output = trained(tmp_path)
    (output / "model.safetensors").unlink()

    with pytest.raises(Retry, match="has left no weights"):
        publish(output, tmp_path, {})
