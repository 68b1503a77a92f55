"""What lies on a volume is told of real folders, while they change, and whatever names somebody gave."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.artifacts.listing import listing, measure
from trainingrun_workers.volume import mark_complete

WORKERS = Path(__file__).parents[4] / "workers"


def an_artifact(root: Path, kind: str = "tokens", name: str = "0123456789ab", size: int = 1000) -> Path:
    folder = root / "artifacts" / kind / name
    folder.mkdir(parents=True)
    (folder / "00000.ds").write_bytes(b"x" * size)
    return folder


def the_only(root: Path) -> dict[str, Any]:
    (one,) = listing(root)["artifacts"]
    return dict(one)


def test_a_folder_is_told_with_its_size_its_age_and_what_its_marker_says_in_short(tmp_path: Path) -> None:
    folder = an_artifact(tmp_path)
    (folder / "deep").mkdir()
    (folder / "deep" / "more").write_bytes(b"y" * 500)
    mark_complete(folder, {"tokens": 7, "source": "web", "files": ["00000.ds"], "text": "x" * 101})
    size = (folder / "COMPLETE.json").stat().st_size
    newest = (folder / "COMPLETE.json").stat().st_mtime
    (one,) = listing(tmp_path, now=newest + 60)["artifacts"]
    assert one == {
        "path": "artifacts/tokens/0123456789ab", "kind": "tokens", "bytes": 1500 + size, "files": 3,
        "ageSeconds": 60, "complete": True, "marker": {"source": "web", "tokens": 7},
    }  # fmt: skip


def test_a_file_with_two_names_is_counted_once_and_a_link_as_itself(tmp_path: Path) -> None:
    folder = an_artifact(tmp_path)
    os.link(folder / "00000.ds", folder / "again.ds")
    (tmp_path / "large").write_bytes(b"z" * 100_000)
    (folder / "link").symlink_to(tmp_path / "large")
    assert the_only(tmp_path)["bytes"] < 2000


def test_the_age_is_that_of_the_newest_change_also_of_a_folder_that_is_empty(tmp_path: Path) -> None:
    folder = an_artifact(tmp_path)
    os.utime(folder / "00000.ds", (1000, 1000))
    os.utime(folder, (5000, 5000))
    assert listing(tmp_path, now=5900)["artifacts"][0]["ageSeconds"] == 900


def test_links_files_and_names_that_are_no_artifacts_are_counted_and_not_entered(tmp_path: Path) -> None:
    an_artifact(tmp_path)
    kinds = tmp_path / "artifacts"
    (tmp_path / "data" / "inside").mkdir(parents=True)
    (kinds / "linked").symlink_to(tmp_path / "data")
    (kinds / "tokens" / "linked").symlink_to(tmp_path / "data")
    (kinds / "tokens" / "a file").touch()
    (kinds / "tokens" / "line\nbreak").mkdir()
    Path(os.fsdecode(os.fsencode(kinds / "tokens") + b"/\xff")).mkdir()
    found = listing(tmp_path)
    assert [one["path"] for one in found["artifacts"]] == ["artifacts/tokens/0123456789ab"]
    assert found["ignored"] == 5


@pytest.mark.parametrize("marker", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_folder_with_a_marker_that_can_not_be_read_is_not_complete(tmp_path: Path, marker: bytes) -> None:
    (an_artifact(tmp_path) / "COMPLETE.json").write_bytes(marker)
    assert not the_only(tmp_path)["complete"]


def test_a_pipe_or_a_link_in_the_place_of_the_marker_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(an_artifact(tmp_path) / "COMPLETE.json")
    other = an_artifact(tmp_path, name="linked")
    (other / "COMPLETE.json").symlink_to("COMPLETE.json")
    assert [one["complete"] for one in listing(tmp_path)["artifacts"]] == [False, False]


def test_a_volume_without_artifacts_has_none(tmp_path: Path) -> None:
    assert listing(tmp_path) == {"artifacts": [], "removed": [], "ignored": 0}
    assert measure(tmp_path / "gone") is None


def test_a_folder_is_measured_while_its_files_come_and_go(tmp_path: Path) -> None:
    folder = an_artifact(tmp_path)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            (folder / "below").mkdir()
            for number in range(20):
                (folder / "below" / str(number)).write_bytes(b"x" * 10)
            for number in range(20):
                (folder / "below" / str(number)).unlink()
            (folder / "below").rmdir()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        sizes = [the_only(tmp_path)["bytes"] for _ in range(200)]
    finally:
        stop.set()
        thread.join()
    assert min(sizes) >= 1000
    assert max(sizes) <= 1200


def test_the_pod_prints_one_json_document_or_a_sentence(tmp_path: Path) -> None:
    an_artifact(tmp_path)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKERS), "TRAININGRUN_VOLUME": str(tmp_path)}

    def pod(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "trainingrun_workers", "artifacts", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert [one["files"] for one in json.loads(pod("list").stdout)["artifacts"]] == [1]
    refused = pod("remove", "artifacts/tokens/../../data")
    assert (refused.returncode, refused.stdout) == (78, "")
    assert refused.stderr == ("'artifacts/tokens/../../data' is no artifact: name one as artifacts/<kind>/<hash>.\n")
