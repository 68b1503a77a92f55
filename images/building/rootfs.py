"""A Debian 12 with Python made by mmdebstrap: the base image of machines that can pull none."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from building.errors import BuildError
from building.secret_files import apt_sources

_TAR: Final = "rootfs.tar"
# Documentation but for licences, and translations: 40 MB that nothing reads.
_LEFT_OUT: Final = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
# What tells where the packages came from stays on this machine.
_FORGET: Final = 'rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap'


def make(folder: Path, packages: Path, log: Path) -> None:
    """Make rootfs.tar in `folder`, with the packages that the file `packages` lists; BuildError where it fails."""
    _install()
    wanted = ",".join(line for line in packages.read_text().splitlines() if line and not line.startswith("#"))
    options = folder / "apt.conf"
    options.write_text(subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True).stdout)
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={wanted}"]
    command += [f"--dpkgopt={option}" for option in _LEFT_OUT]
    command += [f"--aptopt={options}", f"--customize-hook={_FORGET}", "bookworm", str(folder / _TAR)]
    command += map(str, apt_sources())
    with log.open("w") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    options.unlink()
    if done.returncode != 0:
        raise BuildError(
            f"mmdebstrap could not make a Debian 12, see {log}: mend apt's sources, or set BASE_IMAGE to one to pull."
        )


def _install() -> None:
    if shutil.which("mmdebstrap"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BuildError("mmdebstrap is missing and only root on Debian can install it: set BASE_IMAGE to one to pull.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", "mmdebstrap"]):
        done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"apt could not install mmdebstrap, mend its sources and try again: {done.stderr[-500:]}")
