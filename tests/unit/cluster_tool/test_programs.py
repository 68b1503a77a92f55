"""What is built is known by its content."""

import os
from pathlib import Path

import pytest
from local_cluster import programs
from local_cluster.errors import ClusterError

PROGRAM = programs.Program({"tool": "example.com/tool"}, seconds=1)


def a_module(folder: Path) -> Path:
    folder.mkdir()
    (folder / "go.mod").write_text("module m\n\nrequire example.com/tool v1.0.0\n")
    (folder / "go.sum").write_text("example.com/tool v1.0.0 h1:x=\n")
    return folder


def test_another_version_in_go_mod_is_another_build(tmp_path: Path) -> None:
    module = a_module(tmp_path / "m")
    before = programs.content_hash(module, PROGRAM)
    (module / "go.mod").write_text("module m\n\nrequire example.com/tool v1.0.1\n")
    assert programs.content_hash(module, PROGRAM) != before


def test_two_checkouts_share_a_build(tmp_path: Path) -> None:
    one, other = a_module(tmp_path / "one"), a_module(tmp_path / "other")
    assert programs.content_hash(one, PROGRAM) == programs.content_hash(other, PROGRAM)


def test_the_version_stamped_into_a_program_is_part_of_its_content(tmp_path: Path) -> None:
    module = a_module(tmp_path / "m")
    stamped = programs.Program(PROGRAM.packages, seconds=1, variables={"version": "v2"})
    assert programs.content_hash(module, stamped) != programs.content_hash(module, PROGRAM)


def test_a_better_estimate_of_its_time_builds_nothing_again(tmp_path: Path) -> None:
    module = a_module(tmp_path / "m")
    slower = programs.Program(PROGRAM.packages, seconds=99)
    assert programs.content_hash(module, slower) == programs.content_hash(module, PROGRAM)


def test_every_program_has_its_pinned_module() -> None:
    for name in programs.PROGRAMS:
        folder = programs.GO_FOLDERS / name
        assert (folder / "go.mod").is_file(), name
        assert (folder / "go.sum").is_file() or name == "cluster-tools", name


def test_an_unknown_program_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ClusterError, match=r"no program 'kubernets'.*kubernetes"):
        programs.folder_of("kubernets")


def test_without_go_the_build_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAININGRUN_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"Go is needed to build etcd: install Go"):
        programs.built("etcd")


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho 'no such package' >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("TRAININGRUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{go.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ClusterError, match="no such package"):
        programs.built("etcd")
    assert list(programs.programs().iterdir()) == []
