"""What a closed cluster needs, as a script: every image that the chart would run, and all that a run reads."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import QUICKSTART, REPOSITORY, a_manifest
from trainingrun.api.task_sets import TASK_SETS
from unit.helm.rendering import IMAGES

SCRIPT = REPOSITORY / "scripts" / "air_gap"
DIGEST = f"sha256:{'b' * 64}"


def air_gap(folder: Path, *arguments: str, **images: Any) -> subprocess.CompletedProcess[str]:
    values = folder / "values.yaml"
    values.write_text(yaml.safe_dump({"images": {**IMAGES, **images}}))
    command = [sys.executable, str(SCRIPT), "--values", str(values), "--registry", "mirror.local:5000/x", "--dry-run"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def lines(folder: Path, *arguments: str, **images: Any) -> list[str]:
    done = air_gap(folder, *arguments, **images)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def a_run(folder: Path, **spec: Any) -> str:
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(a_manifest("tiny", **spec)))
    return str(file)


def test_every_image_is_copied_once_by_what_names_it(tmp_path: Path) -> None:
    copied = [line for line in lines(tmp_path, convert=IMAGES["pretrain"]) if line.startswith("crane copy")]
    assert len(copied) == len(IMAGES) - 1
    assert f"crane copy {IMAGES['sft']} mirror.local:5000/x/sft:sha256-{'1' * 12}" in copied


def test_a_digest_of_a_role_is_what_is_copied_and_the_tag_stays(tmp_path: Path) -> None:
    found = lines(tmp_path, sft="team/sft:1", digests={"sft": DIGEST})
    assert f"crane copy team/sft@{DIGEST} mirror.local:5000/x/team/sft:1" in found


def test_further_images_go_along(tmp_path: Path) -> None:
    found = lines(tmp_path, "--also", "registry.example/training-operator:v1.9.2")
    assert "crane copy registry.example/training-operator:v1.9.2 mirror.local:5000/x/training-operator:v1.9.2" in found


@pytest.mark.parametrize(
    ("tool", "way", "first"),
    [
        ("skopeo", "copy", "skopeo copy --all --preserve-digests docker://r/a:1 docker://mirror.local:5000/x/r/a:1"),
        ("skopeo", "save", "skopeo copy --all --preserve-digests docker://r/a:1 oci:air-gap/a-1"),
        ("skopeo", "load", "skopeo copy --all --preserve-digests oci:air-gap/a-1 docker://mirror.local:5000/x/r/a:1"),
        ("ctr", "copy", "ctr images pull r/a:1"),
        ("ctr", "load", "ctr images import air-gap/a-1.tar"),
        ("crane", "save", "crane pull --format=oci r/a:1 air-gap/a-1"),
        ("crane", "load", "crane push air-gap/a-1 mirror.local:5000/x/r/a:1"),
    ],
)
def test_each_tool_copies_directly_or_by_way_of_a_folder(tmp_path: Path, tool: str, way: str, first: str) -> None:
    found = lines(tmp_path, "--tool", tool, "--way", way, operator="r/a:1")
    assert next(line for line in found if line.startswith(tool)) == first


def test_an_image_that_is_missing_is_told(tmp_path: Path) -> None:
    done = air_gap(tmp_path, release="")
    assert done.returncode == 1
    assert done.stderr == "air_gap: The values name no image for images.release: give a full reference.\n"


def test_what_the_quickstart_reads_is_named_with_its_place_on_the_claim(tmp_path: Path) -> None:
    found = lines(tmp_path, str(QUICKSTART))
    for place in ("tokenizer", "raw/en", "raw/it", "raw/code", "sft/conversations.jsonl", "evaluation"):
        assert sum(line.startswith(f"# {place}: ") for line in found) == 1, place
    assert not [line for line in found if line.startswith("hf ")]


def test_a_source_on_a_hub_is_downloaded_and_its_new_path_told(tmp_path: Path) -> None:
    web, *others = a_manifest()["spec"]["data"]
    web |= {"name": "web", "path": "hf://datasets/HuggingFaceFW/fineweb-2@v2.0.1/data/ita_Latn"}
    found = lines(tmp_path, a_run(tmp_path, data=[web, *others]))
    (line,) = [line for line in found if line.startswith("hf ")]
    assert line.startswith(
        "hf download --repo-type dataset --revision v2.0.1 --include 'data/ita_Latn/*' HuggingFaceFW/fineweb-2 "
        "--local-dir data/raw/web"
    )
    assert "write spec.data path: raw/web/data/ita_Latn in place of hf://datasets/" in line


def test_the_data_sets_of_every_task_set_are_known(tmp_path: Path) -> None:
    run = a_run(tmp_path, evaluate={"taskSets": list(TASK_SETS), "checkpoints": {"every": 300}})
    found = lines(tmp_path, run)
    assert not [line for line in found if "does not know" in line]
    downloads = [line for line in found if line.startswith("hf download")]
    for repository in ("cais/mmlu", "alexandrainst/m_mmlu", "openai/MMMLU", "evalitahf/faq", "eduagarcia/oab_exams"):
        assert any(f" {repository} --local-dir data/datasets/{repository}" in line for line in downloads), repository
    languages = [line for line in downloads if "alexandrainst/m_mmlu " in line]
    assert [line.split("--include ")[1][:6] for line in languages] == ["'it/*'", "'es/*'", "'fr/*'", "'pt/*'"]
    assert "# datasets: write spec.evaluate.datasetFolder: datasets" in found


def test_a_task_that_is_not_known_is_said(tmp_path: Path) -> None:
    run = a_run(tmp_path, evaluate={"tasks": [{"name": "piqa"}], "checkpoints": {"every": 300}})
    assert any("task piqa, which this script does not know" in line for line in lines(tmp_path, run))


def test_a_manifest_that_is_wrong_is_told(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    run.write_text("kind: Pod")
    done = air_gap(tmp_path, str(run))
    assert done.returncode == 1
    assert done.stderr.startswith("air_gap: ")
