"""BuildKit on the first node's containerd: what it builds is at once an image that the kubelet runs."""

import os

from local_cluster import containerd, images
from local_cluster.errors import ClusterError
from local_cluster.node import FIRST, cgroup_root
from local_cluster.packages import install
from local_cluster.paths import locked, state
from local_cluster.processes import Process
from local_cluster.programs import built
from local_cluster.shell import succeeds


def process() -> Process:
    """The buildkitd of this state folder."""
    return Process("buildkitd", state())


def address() -> str:
    """Where buildkitd listens, whether it runs or not: what buildctl takes as `--addr`."""
    return f"unix://{state()}/buildkitd.sock"


def start() -> str:
    """Start containerd and BuildKit unless they run, building them first if need be; returns BuildKit's address."""
    if os.geteuid() != 0:
        raise ClusterError("containerd and BuildKit need root: run the command again as root.")
    install()
    programs, _ = built("buildkit"), built("cluster-tools")
    with locked("cluster"):
        if not containerd.answers(FIRST):
            process().stop()
            containerd.start(FIRST, images.tools())
            images.provide(operator=False)
        probe = [str(programs / "buildctl"), "--addr", address(), "debug", "workers"]
        if process().pid() is None or not succeeds(probe, seconds=30):
            process().stop()
            _write_configuration()
            process().start([programs / "buildkitd", "--config", state() / "buildkitd.toml"])
            process().wait_until(lambda: succeeds(probe), seconds=30)
    return address()


def _write_configuration() -> None:
    (state() / "buildkitd.toml").write_text(
        f"""root = "{state()}/buildkit"
insecure-entitlements = ["network.host"]
[grpc]
address = ["{address()}"]
[worker.oci]
enabled = false
[worker.containerd]
enabled = true
address = "{FIRST.socket}"
namespace = "k8s.io"
defaultCgroupParent = "{cgroup_root()}/builds"
"""
    )
