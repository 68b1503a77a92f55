"""Makes the engines' environments out of the images' own requirement files: `environment.py [NAME…]`.

Prints the interpreter of each name (all of them without one), made where it is missing: a virtual environment below
`$TRAININGRUN_CACHE/engines`, named after the content of its requirement files. nanotron, lm-eval, axolotl and
the judge's server, which no image has, see the torch environment's packages through a .pth file, so that its 5 GB are
there once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

IMAGES: Final = Path(__file__).parents[2] / "images"
HERE: Final = Path(__file__).parent
READY: Final = "ready"


@dataclass(frozen=True)
class Environment:
    """What an environment is made of: requirement files of an image, or of a folder beside this file, over the
    packages of another environment."""

    image: str
    files: tuple[str, ...] = ("requirements.txt",)
    base: str | None = None
    cost: str = "about half a minute"
    parent: Path = IMAGES

    @property
    def requirements(self) -> tuple[Path, ...]:
        """The requirement files; both, where torch is its CUDA build, as it is on PyPI."""
        return tuple(self.parent / self.image / name for name in self.files)


ENVIRONMENTS: Final = {
    "datatrove": Environment("datatrove"),
    "torch": Environment("torch", ("requirements.txt", "requirements-cuda.txt"), cost="about two minutes, 5 GB"),
    "nanotron": Environment("nanotron", base="torch", cost="a few seconds"),
    "lm-eval": Environment("lm-eval", base="torch"),
    "axolotl": Environment("axolotl", base="torch", cost="about a minute, 1.3 GB"),
    "judge-server": Environment("judge-server", base="torch", parent=HERE),
    "llama-cpp": Environment("llama-cpp", cost="a few seconds", parent=HERE),  # no image: it reads what is released
}


def interpreter(name: str) -> Path:
    """The Python of an environment, which is made first where it is missing."""
    one = ENVIRONMENTS[name]
    base = _packages(interpreter(one.base)) if one.base else None
    folder = cache() / "engines" / f"{name}-{_identity(name)}"
    if not (folder / READY).is_file():
        with _lock(folder.parent / f"{name}.lock"):
            if not (folder / READY).is_file():
                _make(folder, name, base)
    return folder / "bin" / "python"


def cache() -> Path:
    """The folder in which the project keeps what takes long to make."""
    return Path(os.environ.get("TRAININGRUN_CACHE") or Path.home() / ".cache" / "trainingrun")


def _identity(name: str) -> str:
    one = ENVIRONMENTS[name]
    digest = hashlib.sha256(f"{sys.version_info[:2]}{_identity(one.base) if one.base else ''}".encode())
    for path in one.requirements:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _make(folder: Path, name: str, base: Path | None) -> None:
    one, started = ENVIRONMENTS[name], time.monotonic()
    print(f"Making the {name} environment ({one.cost}) …", file=sys.stderr, flush=True)
    for stale in folder.parent.glob(f"{name}-????????????"):
        shutil.rmtree(stale)
    venv.create(folder, with_pip=True, symlinks=True)
    if base:
        (_packages(folder / "bin" / "python") / "base.pth").write_text(f"{base}\n")
    files = [f"--requirement={path}" for path in one.requirements]
    pip = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    subprocess.run([*pip, *files], check=True, stdout=sys.stderr)
    (folder / READY).touch()
    print(f"Made the {name} environment in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _packages(python: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return python.parents[1] / "lib" / version / "site-packages"


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for requested in sys.argv[1:] or ENVIRONMENTS:
        if requested not in ENVIRONMENTS:
            sys.exit(f"There is no environment {requested!r}: choose of {', '.join(ENVIRONMENTS)}.")
        print(interpreter(requested))
