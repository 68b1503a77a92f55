"""Building with docker, podman or buildah, for machines with a container engine and for clusters with a registry."""

import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from building.errors import BuildError
from building.store import Recipe, run_logged

TOOLS: Final = ("docker", "podman", "buildah")
_LIST: Final = ["images", "--format", "{{.Repository}}:{{.Tag}}"]
_LIST_OF_BUILDAH: Final = ["images", "--format", "{{.Name}}:{{.Tag}}"]


class Engine:
    """docker, podman or buildah; `load` is a command that takes images into a cluster, `push` asks for a registry."""

    def __init__(self, tool: str, *, load: Sequence[str] = (), push: bool = False) -> None:
        """Check that the tool answers."""
        self._tool, self._load, self._push = tool, load, push
        if not answers(tool):
            raise BuildError(f"{tool} does not answer here: start it, or choose another --tool.")

    def references(self) -> set[str]:
        """The images that the tool has."""
        command = [self._tool, *(_LIST_OF_BUILDAH if self._tool == "buildah" else _LIST)]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

    def build(self, recipe: Recipe) -> None:
        """Build an image into the tool's own store."""
        command = [
            self._tool,
            "build",
            "--network=host",
            "--file",
            str(recipe.containerfile),
            "--tag",
            recipe.reference,
        ]
        if self._tool == "buildah":
            command += ["--layers", "--isolation=chroot"]
        command += [f"--build-arg={key}={value}" for key, value in sorted(recipe.arguments.items())]
        command += [f"--secret=id={key},src={path}" for key, path in sorted(recipe.secrets.items())]
        run_logged([*command, str(recipe.context)], recipe.log, f"Building {recipe.reference}")

    def remove(self, references: Sequence[str]) -> None:
        """Remove images."""
        if references:
            subprocess.run([self._tool, "rmi", *references], capture_output=True, check=True)

    def deliver(self, references: Sequence[str]) -> None:
        """Push the images, or load them into the cluster, where that was asked for."""
        for reference in references if self._push else []:
            self._send([self._tool, "push", reference])
        if self._load and references:
            self._send([*self._load, *references])

    def forget_steps(self) -> None:
        """Nothing: the tool's cache is its user's."""

    @staticmethod
    def _send(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"`{' '.join(command)}` failed: log in, or mend what it says: {done.stderr[-800:]}")


def answers(tool: str) -> bool:
    """Whether a tool is installed and has its daemon, if it needs one."""
    if not shutil.which(tool):
        return False
    return subprocess.run([tool, "info"], capture_output=True, check=False, timeout=20).returncode == 0
