"""The trainingrun command tells all of a manifest without a cluster, and its errors are sentences."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import trainingrun
from builders import QUICKSTART, a_manifest
from manifest_changes import custom
from trainingrun.api.yaml_text import dumped
from trainingrun.cli import COMMANDS, application, kubectl, main

HEAVY = ("pydantic", "yaml", "kubernetes", "kopf", "aiohttp", "urllib3", "trainingrun.api")
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


def test_a_custom_engines_image_is_given_to_plan_by_its_entry(tmp_path: Path, capsys: Capture) -> None:
    manifest = a_manifest()
    custom()(manifest)
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(manifest))
    assert main(["check", str(file)]) == 0
    assert main(["plan", str(file), "--images", '{"custom.tiny": "registry.example/tiny:1"}']) == 0
    assert "image: registry.example/tiny:1\n" in capsys.readouterr().out
    assert main(["plan", str(file), "--images", '{"custom.other": "registry.example/other:1"}']) == 1
    assert "name one of other, or" in capsys.readouterr().err


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


def test_where_a_command_looks_may_stand_before_it_and_what_stands_after_it_wins(
    tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(dumped({"contexts": [{"name": "one", "context": {}}]}))
    assert main(["--kubeconfig", str(file), "--context", "two", "status"]) == 2
    assert "no context two" in capsys.readouterr().err
    assert main(["--kubeconfig", str(file), "--context", "two", "status", "--context", "three"]) == 2
    assert "no context three" in capsys.readouterr().err
    assert main(["-n", "anywhere", "check", str(QUICKSTART)]) == 0


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


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a program of its own."""
    command = [sys.executable, "-m", "trainingrun.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_help_of_every_command_imports_nothing_that_takes_long() -> None:
    names = [one.name for one in application().registered_commands]
    code = (
        "import sys; from trainingrun.cli import main\n"
        f"codes = [main([*one, '--help']) for one in {[[], *([name] for name in names)]}]\n"
        f"print([one for one in {HEAVY} if one in sys.modules], {{*codes}})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.count("Usage: trainingrun") == 1 + len(COMMANDS)
    assert done.stdout.splitlines()[-1] == "[] {0}"


def test_help_answers_at_once() -> None:
    """Within 0.3 s where nothing else runs. Here other tests may, so that it has twice that, of processor time."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'trainingrun.cli', '--help'], check=True, stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(used.ru_utime + used.ru_stime)"
    )
    took = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(3)
    ]
    assert min(took) < 0.6, took


def test_help_fits_into_sixty_columns_and_has_no_colour_where_none_is_wanted() -> None:
    done = run_command("--help", COLUMNS="60", NO_COLOR="1", FORCE_COLOR="", TERM="dumb")
    assert max(len(line) for line in done.stdout.splitlines()) <= 60
    assert "\x1b" not in done.stdout
    assert all(str(one.name) in done.stdout for one in application().registered_commands)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "Missing argument 'FILE'.\nTry 'trainingrun check --help'.\n"),
        (["chekc"], "No such command 'chekc'. Did you mean 'check'?\nTry 'trainingrun --help'.\n"),
        (["plan", "-", "-o", "xml"], "Invalid value for '--output' / '-o': 'xml' is not one of 'yaml', 'json'.\n"),
        (["plan", "-", "--yesno"], "No such option: --yesno\n"),
    ],
)
def test_a_command_that_is_used_wrongly_is_told_and_ends_with_2(
    arguments: list[str], said: str, capsys: Capture
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_kubectl_s_plugin_is_the_same_command_by_another_name(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl-trainingrun", "check", "--help"])
    assert kubectl() == 0
    assert "Usage: kubectl trainingrun check" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["tran"], ["translate", ":4"]),
        (["plan", "x.yaml", "--im"], ["--images", ":4"]),
        (["plan", "x.yaml", "-o", ""], ["yaml", "json", ":4"]),
        (["check", ""], [":0"]),
    ],
)
def test_kubectl_s_completion_gets_a_line_for_each_way_to_go_on(words: list[str], offered: list[str]) -> None:
    code = f"import sys; sys.argv = ['x', *{words}]; from trainingrun.cli import kubectl_complete; kubectl_complete()"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert [line.partition("\t")[0] for line in done.stdout.splitlines()] == offered


def test_an_interrupt_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "trainingrun.cli", "check", str(pipe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        with pipe.open("w"):  # when this returns the command waits for the manifest
            started.send_signal(signal.SIGINT)
            _, said = started.communicate(timeout=30)
    assert started.returncode == 130
    assert "Traceback" not in said


def test_everything_that_is_printed_can_be_json_and_yaml(capsys: Capture) -> None:
    for command in ("check", "plan", "translate"):
        assert main([command, str(QUICKSTART), "-o", "json"]) == 0
        json.loads(capsys.readouterr().out)
        assert main([command, str(QUICKSTART), "-o", "yaml"]) == 0
        list(yaml.safe_load_all(capsys.readouterr().out))


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m trainingrun.cli plan {QUICKSTART} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""
