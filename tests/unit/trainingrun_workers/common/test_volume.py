"""Files that are whole or not there."""

import os
import stat
from pathlib import Path

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.volume import Volume, make_folder, mark_complete, read_marker, write_atomic


@pytest.mark.parametrize("path", ["../other", "/etc/passwd", "a/../../b"])
def test_a_path_that_leads_out_of_the_volume_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadConfig, match="leads out of the volume"):
        Volume(tmp_path).path(path)


def test_a_link_that_leads_out_of_the_volume_is_refused(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/link").symlink_to("/etc")
    with pytest.raises(BadConfig):
        Volume(tmp_path / "volume").path("link/passwd")


def test_a_path_inside_the_volume_is_below_its_root(tmp_path: Path) -> None:
    assert Volume(tmp_path).path("a/b") == tmp_path / "a/b"


def test_a_missing_volume_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="mount the run's claim there") as caught:
        Volume(tmp_path / "none").check()
    assert caught.value.reason == "VolumeMissing"


def test_a_file_is_replaced_whole_and_open_to_the_group(tmp_path: Path) -> None:
    file = tmp_path / "a/b/file.json"
    write_atomic(file, "old")
    write_atomic(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o664
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o775
    assert os.listdir(file.parent) == ["file.json"]


def test_a_file_that_cannot_be_replaced_stays_and_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        write_atomic(target, "new")
    assert os.listdir(tmp_path) == ["target"]


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a/b") == make_folder(tmp_path / "a/b")


def test_a_marker_is_the_output_of_its_folder(tmp_path: Path) -> None:
    mark_complete(tmp_path / "done", {"tokens": 3})
    assert read_marker(tmp_path / "done") == {"tokens": 3}


@pytest.mark.parametrize("content", ["", '{"tokens": ', "[1]"])
def test_a_torn_marker_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "COMPLETE.json").write_text(content)
    assert read_marker(tmp_path) is None


def test_a_folder_without_marker_has_none(tmp_path: Path) -> None:
    assert read_marker(tmp_path / "none") is None


def test_free_bytes_are_those_of_the_file_system(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    assert Volume(tmp_path).free_bytes() == pytest.approx(found.f_bavail * found.f_frsize, rel=0.2)


def test_a_volume_says_how_much_room_it_has_unless_it_is_gone(tmp_path: Path) -> None:
    free, size = Volume(tmp_path).room() or (0, 0)
    assert 0 < free <= size
    assert Volume(tmp_path / "gone").room() is None
