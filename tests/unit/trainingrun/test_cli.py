"""The trainingrun command tells all of a manifest without a cluster, and its errors are sentences."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import trainingrun
from builders import QUICKSTART, a_manifest
from trainingrun.api.yaml_text import dumped
from trainingrun.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A file for a manifest."""
    return tmp_path / "run.yaml"


def write(file: Path, **spec: Any) -> str:
    """The quickstart with parts of its spec replaced, as a file."""
    file.write_text(dumped(a_manifest(**spec)))
    return str(file)


def test_the_plan_has_every_object_of_every_stage(capsys: Capture) -> None:
    assert main(["plan", str(QUICKSTART)]) == 0
    printed = capsys.readouterr()
    objects = list(yaml.safe_load_all(printed.out))
    assert [f"{one['kind']}/{one['metadata']['name']}" for one in objects] == [
        f"{kind}/quickstart-{stage}-a1"
        for stage, work in (
            ("tokenize", "Job"), ("pretrain", "PyTorchJob"), ("convert", "Job"), ("evaluate", "Job"),
            ("release", "Job"), ("sft-translate", "PyTorchJob"), ("evaluate-translate", "Job"),
            ("release-translate", "Job"), ("sft-prefer", "PyTorchJob"), ("dpo-prefer", "PyTorchJob"),
            ("evaluate-prefer", "Job"), ("release-prefer", "Job"), ("report", "Job"),
        )
        for kind in ("ConfigMap", work)
    ]  # fmt: skip
    assert printed.err == ""


def test_stages_that_work_through_checkpoints_are_planned_with_those_that_are_due(capsys: Capture) -> None:
    main(["plan", str(QUICKSTART), "-o", "json"])
    objects = json.loads(capsys.readouterr().out)["items"]
    (document,) = [
        one["data"]["input.json"] for one in objects if (one["kind"], one["metadata"]["name"]) ==
        ("ConfigMap", "quickstart-convert-a1")
    ]  # fmt: skip
    assert json.loads(document)["spec"]["steps"] == [0, 300, 600, 900]


def test_a_claim_to_make_is_planned_first(manifest: Path, capsys: Capture) -> None:
    assert main(["plan", write(manifest, storage={"claim": {"size": "5Gi"}})]) == 0
    first = next(iter(yaml.safe_load_all(capsys.readouterr().out)))
    assert (first["kind"], first["metadata"]["name"]) == ("PersistentVolumeClaim", "tiny")


@pytest.mark.parametrize("as_file", [False, True])
def test_the_images_are_those_that_are_given(as_file: bool, tmp_path: Path, capsys: Capture) -> None:
    images = json.dumps({"pretrain": "example.org/nanotron@sha256:1", "operator": "example.org/operator:1"})
    if as_file:
        (tmp_path / "images.json").write_text(images)
        images = str(tmp_path / "images.json")
    assert main(["plan", str(QUICKSTART), "--images", images]) == 0
    assert "image: example.org/nanotron@sha256:1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ("{", "--images is not JSON"),
        ('{"pretraining": "x"}', "--images takes a JSON object with images of tokenize, pretrain"),
        ('{"pretrain": 1}', "--images takes a JSON object"),
        ("nowhere.json", "--images nowhere.json can't be read: No such file or directory."),
    ],
)
def test_images_that_are_none_are_refused(images: str, said: str, capsys: Capture) -> None:
    assert main(["plan", str(QUICKSTART), "--images", images]) == 2
    assert said in capsys.readouterr().err


def test_a_run_with_errors_is_not_planned(manifest: Path, capsys: Capture) -> None:
    assert main(["plan", write(manifest, storage={})]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    said = "spec.storage: Give either claimName, an existing claim, or claim, one to make.\n"
    assert printed.err == said


def test_a_check_tells_what_becomes_of_the_configurations(capsys: Capture) -> None:
    assert main(["check", str(QUICKSTART)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("translated: spec.pretrain.config.") for line in lines)
    assert lines[-1] == "quickstart: no errors."


def test_a_check_fails_where_there_are_errors(manifest: Path, capsys: Capture) -> None:
    assert main(["check", write(manifest, storage={})]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "error: spec.storage: Give either claimName, an existing claim, or claim, one to make." in lines
    assert lines[-1] == "tiny: 1 error."


def test_a_misspelt_field_is_told_with_the_nearest_one(manifest: Path, capsys: Capture) -> None:
    manifest.write_text(QUICKSTART.read_text().replace("parallelism: 2", "paralelism: 2"))
    assert main(["check", str(manifest)]) == 1
    assert capsys.readouterr().err == "spec.tokenize.paralelism: is no field: did you mean parallelism?\n"


def test_a_translation_is_the_configuration_that_runs_with_its_notes_as_comments(capsys: Capture) -> None:
    assert main(["translate", str(QUICKSTART), "--stage", "pretrain"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# Stage pretrain\n# translated: ")
    config = yaml.safe_load(printed)
    assert config["tokens"]["train_steps"] == 900
    assert config["model"]["model_config"]["vocab_size"] == 4096


def test_all_stages_are_translated_where_none_is_named(capsys: Capture) -> None:
    assert main(["translate", str(QUICKSTART)]) == 0
    nanotron, sft, same, dpo = yaml.safe_load_all(capsys.readouterr().out)
    assert "parallelism" in nanotron
    assert sft["micro_batch_size"] == 1
    assert same == sft
    assert dpo["rl"] == "dpo"


def test_a_translation_with_errors_fails_and_says_why(manifest: Path, capsys: Capture) -> None:
    spec = a_manifest()["spec"]
    spec["pretrain"]["config"]["tokens"]["train_stepz"] = 5
    assert main(["translate", write(manifest, pretrain=spec["pretrain"]), "--stage", "pretrain"]) == 1
    assert "# error: " in capsys.readouterr().out


def test_a_stage_that_is_not_there_is_told(capsys: Capture) -> None:
    assert main(["translate", str(QUICKSTART), "--stage", "sft-other"]) == 2
    assert capsys.readouterr().err.endswith(
        "translates no stage sft-other: choose one of pretrain, sft-translate, sft-prefer, dpo-prefer.\n"
    )


@pytest.mark.parametrize("command", ["plan", "check", "translate"])
def test_a_file_that_is_not_there_is_told(command: str, capsys: Capture) -> None:
    assert main([command, "nowhere.yaml"]) == 2
    assert capsys.readouterr().err == "nowhere.yaml can't be read: No such file or directory.\n"


def test_a_file_that_is_no_text_is_told(manifest: Path, capsys: Capture) -> None:
    manifest.write_bytes(b"a: \xff")
    assert main(["check", str(manifest)]) == 1
    assert capsys.readouterr().err == f"{manifest} is not YAML: byte 3 is not UTF-8.\n"


def test_a_manifest_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("kind: Pod"))
    assert main(["check", "-"]) == 1
    assert capsys.readouterr().err == "Standard input should hold one TrainingRun, but has Pod.\n"


def test_the_version_is_the_packages(capsys: Capture) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"{trainingrun.__version__}\n"


def test_help_answers_without_importing_the_models() -> None:
    code = (
        "import sys; from trainingrun.cli import main\ntry: main(['--help'])\nfinally: print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "plan" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m trainingrun.cli plan {QUICKSTART} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""
