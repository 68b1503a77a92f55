"""The release stage with the real transformers: what a user of the folder gets."""

import json
import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.release_runs import MANIFEST, TEMPLATE, fill_volume, make_model, release, spec
from trainingrun_workers.contract import ReleaseSpec, Result


@pytest.fixture(scope="module")
def python(engine_python: Callable[[str], Path]) -> str:
    return str(engine_python("torch"))


@pytest.fixture(scope="module")
def model(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(python, tmp_path_factory.mktemp("model") / "model")


@pytest.fixture
def volume(tmp_path: Path, model: Path) -> Path:
    return fill_volume(tmp_path, model)


@pytest.fixture(scope="module")
def released(python: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    volume = fill_volume(tmp_path_factory.mktemp("released"), model)
    result = release(python, volume, spec())
    assert (result.exit_code, result.reason) == (0, "Completed"), result.message
    assert result.output["path"] == "artifacts/release/x/model"
    return volume / "artifacts/release/x/model"


def usage(card: str) -> str:
    found = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert found
    return found.group(1)


def run_usage(python: str, folder: Path) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "HF_HUB_OFFLINE": "1"}
    code = usage((folder / "README.md").read_text())
    return subprocess.run(
        [python, "-c", code], cwd=folder, env=environment, check=True, text=True, capture_output=True
    ).stdout


def test_the_usage_code_of_the_card_runs(python: str, released: Path) -> None:
    assert run_usage(python, released).strip()


def test_the_card_shows_what_its_code_prints(python: str, released: Path) -> None:
    card = (released / "README.md").read_text()
    assert f"Run in this folder, it printed:\n\n```text\n{run_usage(python, released).strip()}\n```" in card


def test_the_run_lies_beside_its_model_as_it_was_applied(released: Path) -> None:
    assert (released / "trainingrun.yaml").read_text() == MANIFEST


def test_the_folder_holds_what_its_users_need_and_nothing_of_its_making(released: Path) -> None:
    names = {one.name for one in released.iterdir()}
    assert names == {
        "README.md", "LICENSE", "checksums.sha256", "evaluation.json", "provenance.json", "config.json",
        "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "special_tokens_map.json", "progression.md", "progression.json", "progression.png", "trainingrun.yaml",
    }  # fmt: skip
    assert {stat.S_IMODE(one.stat().st_mode) for one in released.iterdir()} == {0o644}
    config = json.loads((released / "config.json").read_text())
    assert (config["use_cache"], config["dtype"]) == (True, "bfloat16")
    for file in ("README.md", "config.json", "tokenizer_config.json", "provenance.json"):
        assert "/volume" not in (released / file).read_text()
    assert "Apache License" in (released / "LICENSE").read_text()


def test_the_weights_are_those_of_the_model(released: Path, model: Path) -> None:
    assert (released / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_the_checksums_hold(released: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--quiet", "checksums.sha256"], cwd=released, check=True)
    listed = {line.split()[1] for line in (released / "checksums.sha256").read_text().splitlines()}
    assert listed == {one.name for one in released.iterdir()} - {"checksums.sha256"}


def test_the_card_tells_scores_trials_data_and_that_no_gpu_was_used(released: Path) -> None:
    card = (released / "README.md").read_text()
    for part in (
        "license: apache-2.0", "**Trained on CPU.**", "| continuation_en | 0 | 400 | acc | 0.4100 | 0.0200 |",
        "| 900 | 0.41 |", "![Scores by training step](progression.png)", "**def read\\_file(path):**",
        "| handbook-en (`raw/en`) | 0.4 |  |  | 449 | 291,548 | `en` |", "| pretrain | `trainingrun/nanotron:1` |",
        "--tasks continuation_en,held_out_en --num_fewshot 0 --seed 1234", "| key-value heads | 2 |", "## Limits",
    ):  # fmt: skip
        assert part in card
    provenance = json.loads((released / "provenance.json").read_text())
    assert provenance["data"][0]["measured"]["tokenizerSha256"] == "84df"


def test_the_marker_counts_the_parameters(released: Path) -> None:
    marker = json.loads((released.parent / "COMPLETE.json").read_text())
    embedding = 4096 * 32
    layer = 32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 64 + 2 * 32
    assert marker["parameters"] == embedding + 2 * layer + 32
    assert not list(released.parent.glob(".tmp*"))


def test_a_chat_model_answers_through_its_template_and_ends_a_turn_where_the_template_does(
    python: str, volume: Path
) -> None:
    folder = volume / "artifacts/convert/x/step-00000900"
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "<|im_end|>"}))
    result = release(python, volume, spec(chat=True, name="quickstart-translate", base_name="quickstart"))
    assert result.exit_code == 0, result.message
    model = volume / "artifacts/release/x/model"
    card = (model / "README.md").read_text()
    assert "base_model: quickstart" in card
    assert "- conversational" in card
    generation = json.loads((model / "generation_config.json").read_text())
    ids = json.loads((model / "tokenizer.json").read_text())["added_tokens"]
    assert generation["eos_token_id"] == next(one["id"] for one in ids if one["content"] == "<|im_end|>")
    assert (model / "chat_template.jinja").read_text() == TEMPLATE
    run_usage(python, model)


def test_a_model_without_evaluation_is_released_and_says_so(python: str, volume: Path) -> None:
    assert release(python, volume, spec(evaluation=None, evaluated_as=None, prompts=())).exit_code == 0
    model = volume / "artifacts/release/x/model"
    assert "This model was not evaluated." in (model / "README.md").read_text()
    assert not (model / "evaluation.json").exists()


def test_a_released_folder_is_not_made_again(python: str, volume: Path) -> None:
    first = release(python, volume, spec(prompts=()))
    (volume / "artifacts/release/x/model/README.md").write_text("mine")
    again = release(python, volume, spec(prompts=()))
    assert again.output == first.output
    assert (volume / "artifacts/release/x/model/README.md").read_text() == "mine"


def test_a_folder_that_a_killed_attempt_left_is_replaced(python: str, volume: Path) -> None:
    half = volume / "artifacts/release/x/model"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    assert release(python, volume, spec(prompts=())).exit_code == 0
    assert (half / "README.md").is_file()


def refused(python: str, volume: Path, described: ReleaseSpec) -> Result:
    result = release(python, volume, described)
    assert result.exit_code == 78, result.message
    assert not (volume / "artifacts/release/x/model").exists()
    assert not list((volume / "artifacts/release/x").glob(".tmp*"))
    return result


def test_a_model_that_transformers_does_not_load_is_not_released(python: str, volume: Path) -> None:
    file = volume / "artifacts/convert/x/step-00000900/config.json"
    file.write_text(file.read_text().replace('"model_type": "llama"', '"model_type": "lama"'))
    assert refused(python, volume, spec()).reason == "ModelInvalid"


def test_a_missing_model_is_refused(python: str, volume: Path) -> None:
    assert refused(python, volume, spec(model="artifacts/convert/none")).reason == "ModelMissing"


def test_a_missing_evaluation_is_refused(python: str, volume: Path) -> None:
    assert refused(python, volume, spec(evaluated_as="step-00000800")).reason == "EvaluationMissing"


def test_a_chat_model_without_template_is_refused(python: str, volume: Path) -> None:
    assert refused(python, volume, spec(chat=True)).reason == "ChatTemplateMissing"


def test_a_model_whose_code_fails_is_not_released(python: str, volume: Path) -> None:
    file = volume / "artifacts/convert/x/step-00000900/tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_input_names": ["input_ids", "token_type_ids"]}))
    assert refused(python, volume, spec(prompts=())).reason == "UsageFails"


def test_an_unknown_licence_is_refused_with_the_nearest_ones(python: str, volume: Path) -> None:
    result = refused(python, volume, spec(licence="apache-2"))
    assert result.reason == "LicenceUnknown"
    assert "apache-2.0" in result.message
