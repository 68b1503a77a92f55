"""What an image installs, and under which licence: out of the requirement files and licences.txt."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from building.catalogue import CATALOGUE
from building.errors import BuildError

IMAGES: Final = Path(__file__).resolve().parents[1]
TABLE: Final = IMAGES / "licences.txt"
DEBIAN: Final = "deb"
PYPI: Final = "pypi"
# What CUDA adds to the torch image; see torch/install.sh.
CUDA_FILES: Final = {
    "none": (),
    "import": ("requirements-cuda.txt",),
    "full": ("requirements-cuda.txt", "requirements-gpu.txt"),
}
CUDA_DEBIAN: Final = {"none": (), "import": (), "full": ("gcc", "libc6-dev", "python3.11-dev")}


@dataclass(frozen=True, order=True)
class Package:
    """One package of an image; a Debian package has the version of the day on which the image was built."""

    kind: str  # PYPI or DEBIAN
    name: str  # normalized
    version: str = ""

    @property
    def key(self) -> str:
        """How licences.txt calls it."""
        return f"{DEBIAN}:{self.name}" if self.kind == DEBIAN else f"{self.name}=={self.version}"


def packages(image: str, cuda: str) -> tuple[Package, ...]:
    """Everything that an image of the catalogue installs, its bases' packages included, by name."""
    found: dict[tuple[str, str], Package] = {}
    here: str | None = image
    while here is not None:
        folder, here = CATALOGUE[here].folder, CATALOGUE[here].base
        for one in _of(IMAGES / folder, cuda):
            found.setdefault((one.kind, one.name), one)  # an image puts its own version over its base's
    return tuple(sorted(found.values()))


def licences(table: Path = TABLE) -> dict[str, str]:
    """The SPDX expression of each package, by its key; BuildError for a line that says none."""
    found: dict[str, str] = {}
    for line in _lines(table):
        key, _, expression = line.partition(" ")
        if not expression.strip():
            raise BuildError(f"{table.name} gives {key} no licence: write its SPDX expression after it.")
        found[key] = expression.strip()
    return found


def unlicensed(cuda: str = "full") -> list[str]:
    """The keys of the packages of all images that the table lacks."""
    known = licences()
    return sorted({one.key for image in CATALOGUE for one in packages(image, cuda) if one.key not in known})


def _of(folder: Path, cuda: str) -> Iterator[Package]:
    if folder.name == "rootfs":
        yield from (Package(DEBIAN, name) for name in _lines(folder / "packages.txt"))
    is_torch = folder.name == "torch"
    for name in ("requirements.txt", *(CUDA_FILES[cuda] if is_torch else ())):
        yield from _required(folder / name)
    yield from (Package(DEBIAN, name) for name in (CUDA_DEBIAN[cuda] if is_torch else ()))


def _required(file: Path) -> Iterator[Package]:
    if file.is_file():
        for line in _lines(file):
            name, _, version = line.partition("==")
            yield Package(PYPI, re.sub(r"[-_.]+", "-", name).lower(), version)


def _lines(file: Path) -> Iterator[str]:
    """The lines of a file that say something."""
    for line in file.read_text(encoding="utf-8").splitlines():
        said = line.partition("#")[0].strip()
        if said:
            yield said
