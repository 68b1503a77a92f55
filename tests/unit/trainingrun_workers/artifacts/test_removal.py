"""Folders are taken away by a rename, put back, or deleted for good; and nothing else on the volume is touched."""

import os
import time
from pathlib import Path

import pytest

from trainingrun_workers.artifacts.listing import listing
from trainingrun_workers.artifacts.removal import purge, remove, restore
from trainingrun_workers.errors import BadConfig

ONE, OTHER = "artifacts/tokens/0123456789ab", "artifacts/pretrain/ba9876543210"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume with two artifacts that are an hour old, a run's folder and raw data."""
    for path in (ONE, OTHER, "runs/ns/run-1234", "data/web"):
        folder = tmp_path / path
        folder.mkdir(parents=True)
        (folder / "file").write_text(path)
        age(folder, 3600)
    return tmp_path


def age(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, then))


def everything(volume: Path) -> set[str]:
    return {str(path.relative_to(volume)) for path in volume.rglob("*") if not path.is_dir()}


def test_what_is_removed_lies_aside_until_it_is_purged_and_nothing_else_is_gone(volume: Path) -> None:
    before = everything(volume)
    assert remove(volume, "b1", [ONE], 900) == {"batch": "b1", "done": [ONE], "skipped": []}
    aside = ".removed/b1/tokens/0123456789ab"
    assert everything(volume) == before - {f"{ONE}/file"} | {f"{aside}/file"}
    (left,) = listing(volume)["removed"]
    assert (left["path"], left["batch"], left["kind"]) == (aside, "b1", "tokens")
    assert purge(volume, ["b1"]) == {"purged": ["b1"], "skipped": []}
    assert everything(volume) == before - {f"{ONE}/file"}
    assert not (volume / ".removed").exists()


def test_what_is_restored_is_as_it_was(volume: Path) -> None:
    before = everything(volume)
    remove(volume, "b1", [ONE, OTHER], 900)
    assert restore(volume, "b1", [ONE, OTHER]) == {"batch": "b1", "done": [ONE, OTHER], "skipped": []}
    assert everything(volume) == before


def test_a_folder_that_changed_lately_stays(volume: Path) -> None:
    (volume / OTHER / "new").touch()
    done = remove(volume, "b1", [ONE, OTHER], 900)
    assert done["done"] == [ONE]
    assert done["skipped"] == [{"path": OTHER, "why": "something in it changed 0 s ago"}]
    assert (volume / OTHER / "new").exists()


def test_a_folder_that_a_run_made_again_meanwhile_is_left_to_it(volume: Path) -> None:
    remove(volume, "b1", [ONE, OTHER], 900)
    (volume / ONE).mkdir()
    (volume / ONE / "mine").touch()
    (volume / OTHER).mkdir()  # as a stage begins with
    done = restore(volume, "b1", [ONE, OTHER])
    assert done["done"] == [OTHER]
    assert done["skipped"] == [{"path": ONE, "why": "a run has begun to make it again in its old place"}]
    assert [path.name for path in (volume / ONE).iterdir()] == ["mine"]
    assert (volume / OTHER / "file").exists()


def test_what_is_gone_is_skipped(volume: Path) -> None:
    remove(volume, "b1", [ONE], 900)
    assert remove(volume, "b2", [ONE, "artifacts/nothing/here"], 0)["done"] == []
    assert restore(volume, "b2", [ONE])["done"] == []
    assert purge(volume, ["never"]) == {"purged": ["never"], "skipped": []}


@pytest.mark.parametrize(
    "path",
    [
        "artifacts/tokens", "artifacts/tokens/", "artifacts", "/artifacts/tokens/0123456789ab", "runs/ns/run-1234",
        "artifacts/../data", "artifacts/tokens/..", "artifacts/./web", "artifacts/tokens/a/b", "data/web", "",
        "artifacts/tokens/.hidden", "artifacts/tokens/0123456789ab\n", "artifacts/tokens/\0",
    ],
)  # fmt: skip
def test_a_path_of_another_form_is_refused_before_anything_is_done(volume: Path, path: str) -> None:
    before = everything(volume)
    for act in (lambda: remove(volume, "b1", [ONE, path], 0), lambda: restore(volume, "b1", [path])):
        with pytest.raises(BadConfig, match="is no artifact: name one as"):
            act()
    assert everything(volume) == before


@pytest.mark.parametrize("batch", ["..", ".", "", "a/b", "/tmp", "B", "../data"])
def test_a_batch_can_not_lead_elsewhere(volume: Path, batch: str) -> None:
    before = everything(volume)
    acts = (lambda: remove(volume, batch, [ONE], 0), lambda: restore(volume, batch, [ONE]),
            lambda: purge(volume, ["b1", batch]))  # fmt: skip
    for act in acts:
        with pytest.raises(BadConfig, match="can't name what was removed"):
            act()
    assert everything(volume) == before


def test_a_link_is_never_followed(volume: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").mkdir()
    (elsewhere / "kept" / "file").touch()
    (volume / "artifacts/tokens/linked").symlink_to(elsewhere / "kept")
    (volume / "artifacts/linked").symlink_to(elsewhere)
    (volume / "artifacts/tokens/file").touch()
    done = remove(volume, "b1", ["artifacts/tokens/linked", "artifacts/linked/kept", "artifacts/tokens/file"], 0)
    assert done["done"] == []
    assert len(done["skipped"]) == 3
    (volume / ONE / "away").symlink_to(elsewhere / "kept")
    remove(volume, "b1", [ONE], 0)
    purge(volume, ["b1"])
    assert not (volume / ".removed").exists()
    assert (elsewhere / "kept" / "file").exists()


def test_removed_folders_go_nowhere_else_where_a_link_stands_in_the_way(volume: Path) -> None:
    (volume / ".removed").symlink_to(volume / "data")
    done = remove(volume, "b1", [ONE], 0)
    assert done["done"] == []
    assert (volume / ONE / "file").exists()
    assert purge(volume, ["web"])["purged"] == []
    assert (volume / "data/web/file").exists()
