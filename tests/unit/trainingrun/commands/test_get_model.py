"""A released folder comes off a volume whole, or not under its name."""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from trainingrun.cli import main
from trainingrun.commands.get_model.copying import Copy
from trainingrun_workers.release.assembly import write_checksums
from unit.trainingrun.commands.world import World

Capture = pytest.CaptureFixture[str]
FOLDER = "artifacts/release/0123456789ab/model"
FILES = {"config.json": b"{}", "README.md": b"# tiny\n", "model.safetensors": bytes(range(256)) * 4000, "empty": b""}


def stage(name: str, /, phase: str = "Succeeded", **output: str) -> dict[str, Any]:
    return {"name": name, "kind": "release", "phase": phase, "output": output, "message": f"Stage {name} is so."}


@pytest.fixture
def released(world: World) -> World:
    """A run that has released its base model, and not yet its variant."""
    for name, content in FILES.items():
        world.put(f"{FOLDER}/{name}", content)
    digest = write_checksums(world.volume / FOLDER)
    done = stage("release", path=FOLDER, sha256=digest, name="tiny")
    world.add_run("tiny", {"stages": [done, stage("release-instruct", "Waiting")]})
    return world


def content(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name != "checksums.sha256"}


def test_the_model_arrives_whole_with_its_checksums(released: World, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "model"
    assert main(["get-model", "tiny", str(target)]) == 0
    assert content(target) == FILES
    assert (target / "checksums.sha256").is_file()
    assert capsys.readouterr().out.startswith(f"tiny is in {target}: 1,024,3")
    assert not target.with_name("model.part").exists()
    assert (released.visits, released.left) == (1, [])


def test_a_second_time_it_is_there_already(released: World, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "model"
    assert main(["get-model", "tiny", "tiny", str(target)]) == 0
    assert main(["get-model", "tiny", str(target), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["bytes"] == 0
    assert released.visits == 1


def test_a_copy_that_is_cut_off_goes_on_by_itself_at_the_byte_that_it_had(released: World, tmp_path: Path) -> None:
    released.cut(10_000, 10_000, 10_000, 300_000, 10)  # of the checksums, of small files, and of the weights twice
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 0
    assert content(tmp_path / "model") == FILES
    assert released.left == []


def test_one_that_is_given_up_says_which_file_and_the_next_goes_on(
    released: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.cut(10_000, 10_000, 10_000, 300_000, 0, 0, 0)
    target = tmp_path / "model"
    assert main(["get-model", "tiny", str(target)]) == 3
    said = capsys.readouterr().err
    assert said == (
        "model.safetensors was cut off at byte 300,000 of 1,024,000. Reading from claim quickstart failed: error: "
        "connection to the node was lost. The same command goes on from there.\n"
    )
    assert not target.exists()
    part = tmp_path / "model.part" / "model.safetensors"
    assert part.stat().st_size == 300_000
    part.write_bytes(FILES["model.safetensors"][:300_000])  # the same content in another file: it is not fetched anew
    number = part.stat().st_ino
    assert main(["get-model", "tiny", str(target)]) == 0
    assert (target / "model.safetensors").stat().st_ino == number
    assert content(target) == FILES


def test_what_was_damaged_on_the_way_is_fetched_anew(released: World, tmp_path: Path) -> None:
    part = tmp_path / "model.part"
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"x" * 500_000)
    (part / "README.md").write_bytes(b"longer than the file that it should be")
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 0
    assert content(tmp_path / "model") == FILES


def test_what_is_there_of_another_release_is_not_mixed_in(released: World, tmp_path: Path) -> None:
    part = tmp_path / "model.part"
    part.mkdir()
    (part / "checksums.sha256").write_text("of another")
    (part / "stray.bin").write_bytes(b"x")
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 0
    assert content(tmp_path / "model") == FILES


def test_ctrl_c_says_that_the_next_goes_on(
    released: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Copy, "_append", interrupted)
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 130
    assert capsys.readouterr().err.endswith("model.part; the same command goes on from there.\n")
    assert released.left == []


def test_two_commands_do_not_copy_into_one_place(released: World, tmp_path: Path, capsys: Capture) -> None:
    part = tmp_path / "model.part"
    part.mkdir()
    descriptor = os.open(part, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 2
    os.close(descriptor)
    assert capsys.readouterr().err == f"Another command is copying into {part}: wait for it.\n"
    assert released.visits == 0


def test_a_file_that_is_damaged_on_the_volume_is_named(released: World, tmp_path: Path, capsys: Capture) -> None:
    released.put(f"{FOLDER}/config.json", "[]")
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 1
    assert capsys.readouterr().err == (
        "config.json of tiny arrived twice with a checksum other than the release's: it is damaged on the volume, so "
        "make the release again.\n"
    )
    assert not (tmp_path / "model").exists()


def test_a_file_that_is_missing_on_the_volume_is_named(released: World, tmp_path: Path, capsys: Capture) -> None:
    (released.volume / FOLDER / "README.md").unlink()
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 1
    assert capsys.readouterr().err == f"README.md of tiny is missing on the volume in {FOLDER}.\n"


def test_checksums_that_are_not_the_releases_are_refused(released: World, tmp_path: Path, capsys: Capture) -> None:
    released.put(f"{FOLDER}/config.json", "[]")
    write_checksums(released.volume / FOLDER)
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 1
    assert "is not the one that the release stage has left" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "..", "a/b"])
def test_no_checksums_lead_out_of_the_folder(name: str, released: World, tmp_path: Path, capsys: Capture) -> None:
    text = f"{'0' * 64}  {name}\n"
    released.put(f"{FOLDER}/checksums.sha256", text)
    released.runs["tiny"]["status"]["stages"][0]["output"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 1
    assert "has a line that is none" in capsys.readouterr().err


def test_a_folder_with_something_else_in_it_is_left_alone(released: World, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").touch()
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 2
    assert "is there already and is something else" in capsys.readouterr().err
    assert released.visits == 0
    (tmp_path / "model" / "mine").unlink()
    assert main(["get-model", "tiny", str(tmp_path / "model")]) == 0


def test_a_place_that_may_not_be_written_is_one_sentence(released: World, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").touch()
    assert main(["get-model", "tiny", str(tmp_path / "file" / "model")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tiny", "instruct", "x"], 1, "Run tiny has not released instruct yet; stage release-instruct is Waiting: "),
        (["tiny", "tiny-instruct", "x"], 1, "Run tiny has not released tiny-instruct yet"),
        (["tiny", "other", "x"], 4, "Run tiny releases no model other: choose one of tiny, instruct.\n"),
        (["none", "x"], 4, "There is no run none in namespace default of context test"),
        (["tiny", "a", "b", "c"], 2, "name one model and one folder to make"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    words: list[str], code: int, said: str, released: World, tmp_path: Path, capsys: Capture
) -> None:
    os.chdir(tmp_path)
    assert main(["get-model", *words]) == code
    assert said in capsys.readouterr().err
    assert released.visits == 0


def test_a_pod_that_cannot_be_made_is_one_sentence(released: World, tmp_path: Path, capsys: Capture) -> None:
    released.runs["tiny"]["spec"]["storage"] = {"claimName": "gone"}
    assert main(["get-model", "tiny", str(tmp_path / "model")]) != 0
    assert "There is no claim gone in " in capsys.readouterr().err
