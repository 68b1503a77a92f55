"""Building with BuildKit right into the containerd that pods are run from: no push, no import."""

from collections.abc import Sequence

from local_cluster import buildkit, containerd
from local_cluster.node import FIRST
from local_cluster.programs import built
from local_cluster.shell import output

from building.store import Recipe, run_logged


class BuildKit:
    """The local cluster's BuildKit, started if need be."""

    def __init__(self) -> None:
        """Start it, and containerd with it."""
        self._address = buildkit.start()
        self._buildctl = str(built("buildkit") / "buildctl")

    def references(self) -> set[str]:
        """The images in containerd."""
        return set(containerd.images(FIRST))

    def build(self, recipe: Recipe) -> None:
        """Build an image; nothing of it is compressed, as it never leaves this machine."""
        command = [self._buildctl, "--addr", self._address, "build", "--progress=plain", "--frontend=dockerfile.v0"]
        command += ["--allow=network.host", "--opt=force-network-mode=host", "--opt=image-resolve-mode=local"]
        command += [f"--local=context={recipe.context}", f"--local=dockerfile={recipe.containerfile.parent}"]
        command += ["--opt=filename=Containerfile"]
        command += [f"--opt=build-arg:{key}={value}" for key, value in sorted(recipe.arguments.items())]
        command += [f"--secret=id={key},src={path}" for key, path in sorted(recipe.secrets.items())]
        command += [f"--output=type=image,name={recipe.reference},compression=uncompressed,unpack=true"]
        run_logged(command, recipe.log, f"Building {recipe.reference}")

    def remove(self, references: Sequence[str]) -> None:
        """Remove images that no container runs; their layers go with them where no other image has them."""
        rows = containerd.ctr(FIRST, "containers", "list").splitlines()
        used = {fields[1] for row in rows if len(fields := row.split()) > 1}
        unused = [one for one in references if one not in used]
        if unused:
            containerd.ctr(FIRST, "images", "remove", *unused)

    def deliver(self, references: Sequence[str]) -> None:
        """Nothing: they are where they belong."""

    def forget_steps(self) -> None:
        """Drop BuildKit's own copies of layers: whatever is built upon is an image itself, so none is needed again."""
        output([self._buildctl, "--addr", self._address, "prune", "--all"])
