"""The Debian packages the cluster needs beside what it builds itself."""

import os
import shutil
from pathlib import Path

from local_cluster.errors import ClusterError
from local_cluster.progress import heartbeat
from local_cluster.shell import output

# What a package is known by, and the package. runc comes with containerd.
PACKAGES = {
    "/usr/bin/containerd": "containerd",
    "/usr/sbin/runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "/usr/sbin/nft": "nftables",
    "/usr/bin/openssl": "openssl",
    "/usr/bin/mount": "mount",
}
_COMMANDS = {"ip": "iproute2"}  # in /bin or /sbin, as the release has it


def missing() -> list[str]:
    """The packages that are not installed, in the table's order."""
    absent = [package for path, package in PACKAGES.items() if not Path(path).exists()]
    return absent + [package for command, package in _COMMANDS.items() if not shutil.which(command)]


def install(*needed: str) -> None:
    """Install what is missing, of these packages or of all, with apt; raises ClusterError without root or apt."""
    packages = [package for package in missing() if not needed or package in needed]
    if not packages:
        return
    wanted = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ClusterError(f"These packages are missing and only root on Debian can be helped here: install {wanted}.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with heartbeat(f"installing {wanted}", expected=30):
        output(["apt-get", "update", "-q"], environment=environment)
        output(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], environment=environment)
