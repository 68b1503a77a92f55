"""The small programs that the cluster's own containers run."""

import stat
import subprocess
from pathlib import Path

import pytest
from local_cluster.programs import built


@pytest.fixture(scope="module")
def tools() -> Path:
    return built("cluster-tools") / "cluster-tools"


def run(tools: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tools, *arguments], capture_output=True, text=True, check=False, timeout=20)


def test_a_worker_goes_on_once_its_master_has_a_name(tools: Path) -> None:
    done = run(tools, "wait-for-host", "localhost", "3")
    assert (done.returncode, "after 1 tries" in done.stdout) == (0, True)


def test_a_worker_whose_master_never_comes_ends_with_an_exit_code_of_its_own(tools: Path) -> None:
    done = run(tools, "wait-for-host", "master.invalid", "2")
    assert done.returncode == 3
    assert "master.invalid never resolved in 2 tries" in done.stderr


def test_a_volume_is_writable_by_all_and_goes_with_its_content(tools: Path, tmp_path: Path) -> None:
    volume = tmp_path / "pvc-1"
    assert run(tools, "volume", "-p", volume, "-s", "1", "-m", "Filesystem", "-a", "create").returncode == 0
    assert stat.S_IMODE(volume.stat().st_mode) == 0o777
    (volume / "file").write_text("x")
    assert run(tools, "volume", "-p", volume, "-s", "1", "-m", "Filesystem", "-a", "delete").returncode == 0
    assert not volume.exists()


def test_a_volume_outside_any_folder_is_refused(tools: Path) -> None:
    done = run(tools, "volume", "-p", "relative", "-a", "delete")
    assert (done.returncode, "no absolute folder" in done.stderr) == (1, True)


def test_an_unknown_tool_is_refused_with_those_there_are(tools: Path) -> None:
    done = run(tools, "sleep")
    assert (done.returncode, "wait-for-host" in done.stderr) == (2, True)
