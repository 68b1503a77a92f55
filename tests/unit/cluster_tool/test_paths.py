"""Where the cluster keeps its state, and what it refuses."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_cluster import mounts, paths
from local_cluster.errors import ClusterError
from local_cluster.node import Node, cgroup_root, members, named


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's own is too deep for sockets
        monkeypatch.setenv("TRAININGRUN_CACHE", folder)
        yield


def test_a_cache_too_deep_for_unix_sockets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAININGRUN_CACHE", str(tmp_path / ("deep" * 30)))
    with pytest.raises(ClusterError, match="too long a path for unix sockets: set TRAININGRUN_CACHE"):
        paths.state()


def test_two_caches_have_two_control_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    one = cgroup_root()
    monkeypatch.setenv("TRAININGRUN_CACHE", f"{paths.cache()}/d")
    assert cgroup_root() != one


def test_writing_the_same_again_does_not_touch_the_file(tmp_path: Path) -> None:
    file = tmp_path / "configuration"
    paths.write(file, "same")
    before = file.stat().st_mtime_ns
    paths.write(file, "same")
    assert file.stat().st_mtime_ns == before
    paths.write(file, "other")
    assert file.read_text() == "other"


def test_a_node_belongs_to_the_cluster_from_its_joining_on() -> None:
    node = Node(2)
    node.folder.mkdir()
    assert members() == []
    node.kubeconfig.touch()
    assert members() == [node]
    assert named("node-2") == node


def test_a_node_that_is_not_there_is_refused_with_what_is() -> None:
    node = Node(1)
    node.folder.mkdir()
    node.kubeconfig.touch()
    with pytest.raises(ClusterError, match=r"no node 'node-2' in this cluster, which has node-1: .*--nodes 2"):
        named("node-2")


def test_nodes_have_addresses_and_pods_of_their_own() -> None:
    assert [(node.address, node.pod_range) for node in (Node(1), Node(2))] == [
        ("10.89.0.1", "10.244.0.0/24"),
        ("10.89.0.2", "10.244.1.0/24"),
    ]


def test_only_mounts_inside_a_folder_are_below_it() -> None:
    assert "/proc" in mounts.mounts_below(Path("/"))
    assert mounts.mounts_below(Path("/pro")) == []
