"""`trainingrun reproduce` on folders as the release stage leaves them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import SETTINGS, a_training_run
from trainingrun.api.manifest_text import read
from trainingrun.cli import main
from trainingrun.stages.context import Context
from trainingrun.stages.release import applied

Capture = pytest.CaptureFixture[str]
DIGEST = f"registry.example/nanotron@sha256:{'0' * 64}"


def a_released_folder(folder: Path, **provenance: Any) -> Path:
    """A folder with what the command reads."""
    folder.mkdir()
    (folder / "trainingrun.yaml").write_text(applied(Context(a_training_run(), SETTINGS)))
    made = {"trainingrun": "0.1.0", "images": {"pretrain": DIGEST, "convert": "registry.example/nanotron:1"}}
    (folder / "provenance.json").write_text(json.dumps(made | provenance))
    (folder / "README.md").write_text("# tiny")
    return folder


@pytest.mark.parametrize("given", ["", "README.md"])
def test_the_manifest_leads_to_the_folders_that_made_the_model(tmp_path: Path, given: str, capsys: Capture) -> None:
    folder = a_released_folder(tmp_path / "model")
    assert main(["reproduce", str(folder / given)]) == 0
    printed = capsys.readouterr().out
    assert Context(read(printed, "printed"), SETTINGS).places == Context(a_training_run(), SETTINGS).places


def test_images_are_named_as_values_of_the_chart(tmp_path: Path, capsys: Capture) -> None:
    main(["reproduce", str(a_released_folder(tmp_path / "model"))])
    lines = capsys.readouterr().out.splitlines()
    values = yaml.safe_load("\n".join(line.removeprefix("#   ") for line in lines if line.startswith("#   ")))
    assert values == {"images": {"pretrain": DIGEST, "convert": "registry.example/nanotron:1"}}
    assert any("as it was applied to trainingrun 0.1.0" in line for line in lines)
    assert "# The image of convert had no digest, so the same name may be another image by now." in lines


def test_digests_alone_need_no_warning(tmp_path: Path, capsys: Capture) -> None:
    main(["reproduce", str(a_released_folder(tmp_path / "model", images={"pretrain": DIGEST}))])
    assert "had no digest" not in capsys.readouterr().out


def test_the_manifest_is_written_into_a_file_but_over_none(tmp_path: Path, capsys: Capture) -> None:
    folder, file = a_released_folder(tmp_path / "model"), tmp_path / "again.yaml"
    assert main(["reproduce", str(folder), "-o", str(file)]) == 0
    assert read(file.read_text(), "again").metadata.name == "tiny"
    assert main(["reproduce", str(folder), "-o", str(file)]) == 2
    assert f"{file} can't be written: File exists." in capsys.readouterr().err


@pytest.mark.parametrize(("form", "loads"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_scripts_get_manifest_and_images_as_one_document(
    tmp_path: Path, capsys: Capture, form: str, loads: Any
) -> None:
    assert main(["reproduce", str(a_released_folder(tmp_path / "model")), "-o", form]) == 0
    told = loads(capsys.readouterr().out)
    assert read(json.dumps(told["manifest"]), "printed").metadata.name == "tiny"
    assert (told["version"], told["images"]["pretrain"]) == ("0.1.0", DIGEST)


def test_a_folder_without_manifest_is_told_of(tmp_path: Path, capsys: Capture) -> None:
    folder = a_released_folder(tmp_path / "model")
    (folder / "trainingrun.yaml").unlink()
    assert main(["reproduce", str(folder)]) == 1
    assert f"{folder} has no trainingrun.yaml" in capsys.readouterr().err


def test_a_folder_without_provenance_is_told_of(tmp_path: Path, capsys: Capture) -> None:
    folder = a_released_folder(tmp_path / "model")
    (folder / "provenance.json").unlink()
    assert main(["reproduce", str(folder)]) == 1
    assert "has no provenance.json" in capsys.readouterr().err
    (folder / "provenance.json").write_text("{")
    assert main(["reproduce", str(folder)]) == 1
    assert "is not JSON" in capsys.readouterr().err


def test_a_place_that_is_not_there_is_told_of(tmp_path: Path, capsys: Capture) -> None:
    assert main(["reproduce", str(tmp_path / "nowhere")]) == 2
    assert "There is no" in capsys.readouterr().err


def test_a_manifest_of_another_version_is_told_of_field_by_field(tmp_path: Path, capsys: Capture) -> None:
    folder = a_released_folder(tmp_path / "model")
    file = folder / "trainingrun.yaml"
    file.write_text(file.read_text().replace("tokenizer:", "tokeniser:"))
    assert main(["reproduce", str(folder)]) == 1
    assert "tokeniser: is no field: did you mean tokenizer?" in capsys.readouterr().err
