"""Tags by content: an image is built again when a file it is made of changes, or what it is built on, and only then."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from building.catalogue import CATALOGUE
from building.errors import BuildError

TAG_DIGITS: Final = 12
_LEFT_OUT: Final = "__pycache__"  # as .dockerignore has it
_BIND: Final = re.compile(r"--mount=type=bind,source=([^,\s]+)")
_COPY: Final = re.compile(r"^(?:COPY|ADD)[ \t]+((?:\S+[ \t]+)+)\S+$", re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """What the images are made of: the checkout, the names they get, and the build arguments of all of them."""

    checkout: Path
    repository: str  # localhost/trainingrun, or a path in a registry
    arguments: Mapping[str, str]  # CUDA, VERSION
    base_image: str | None = None  # one to pull; None: the one that mmdebstrap makes

    def containerfile(self, name: str) -> Path:
        """The file that says how the image is built."""
        return self.checkout / "images" / CATALOGUE[name].folder / "Containerfile"

    def base(self, name: str) -> str | None:
        """The reference that the image is built on; None for the root of all."""
        base = CATALOGUE[name].base
        if base == "rootfs" and self.base_image:
            return self.base_image
        return self.reference(base) if base else None

    def build_arguments(self, name: str) -> dict[str, str]:
        """The build arguments of one image, its base among them."""
        base = self.base(name)
        chosen = {key: self.arguments[key] for key in CATALOGUE[name].arguments}
        return {"BASE_IMAGE": base, **chosen} if base else chosen

    def reference(self, name: str) -> str:
        """The image's name with its tag, 12 hex digits over all that it is made of."""
        digest = hashlib.sha256(f"{name}\0{sorted(self.build_arguments(name).items())}".encode())
        for path in self._files(name):
            digest.update(f"\0{path.relative_to(self.checkout)}\0{path.stat().st_mode & 0o111}\0".encode())
            digest.update(path.read_bytes())
        return f"{self.repository}/{name}:{digest.hexdigest()[:TAG_DIGITS]}"

    def _files(self, name: str) -> list[Path]:
        containerfile = self.containerfile(name)
        found = {containerfile}
        if name == "rootfs":  # its context is made by mmdebstrap out of this list
            found.add(containerfile.parent / "packages.txt")
        else:
            for source in sources(containerfile.read_text()):
                found.update(_below(self.checkout / source, containerfile))
        return sorted(found)


def sources(containerfile: str) -> Iterator[str]:
    """The paths of the context that a Containerfile copies or mounts, as it names them."""
    yield from _BIND.findall(containerfile)
    for copied in _COPY.findall(containerfile.replace("\\\n", " ")):
        yield from (word for word in copied.split() if not word.startswith("--"))


def _below(path: Path, containerfile: Path) -> Iterator[Path]:
    if not path.exists():
        raise BuildError(f"{containerfile} takes {path}, which does not exist: restore it, or mend the Containerfile.")
    if path.is_file():
        yield path
    else:
        yield from (file for file in path.rglob("*") if file.is_file() and _LEFT_OUT not in file.parts)
