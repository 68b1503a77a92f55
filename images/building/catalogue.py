"""The images: what each is built from, which stages of a run use it, and what its build cost.

    rootfs → base → operator-base → operator
                  → quickstart-data
                  → datatrove-engine → datatrove
                  → torch → nanotron-engine → nanotron
                          → lm-eval-engine  → lm-eval
                          → axolotl-engine  → axolotl

The operator's base and the engines hold what others wrote and change seldom; what is over them adds our code in one
small layer, in seconds.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Image:
    """One image; `folder` is the one below images/ that its Containerfile is in."""

    folder: str
    base: str | None  # the image it is built on, passed as BASE_IMAGE
    seconds: float  # a cold build on two cores
    roles: tuple[str, ...] = ()  # keys of images.json: the operator, the kinds of stages, the quickstart's data
    arguments: tuple[str, ...] = ()  # build arguments that its content depends on


# In building order: each after its base, what others wait for first.
CATALOGUE: Final = {
    "rootfs": Image("rootfs", None, 40),
    "base": Image("base", "rootfs", 10),
    "torch": Image("torch", "base", 120, arguments=("CUDA",)),
    "datatrove-engine": Image("datatrove", "base", 30),
    "operator-base": Image("operator-base", "base", 25),
    "operator": Image("operator", "operator-base", 3, ("operator",), ("VERSION",)),
    "quickstart-data": Image("quickstart-data", "base", 3, ("quickstart-data",), ("VERSION",)),
    "datatrove": Image("workers", "datatrove-engine", 3, ("tokenize",), ("VERSION",)),
    "axolotl-engine": Image("axolotl", "torch", 80),
    "lm-eval-engine": Image("lm-eval", "torch", 50),
    "nanotron-engine": Image("nanotron", "torch", 5),
    "nanotron": Image("workers", "nanotron-engine", 3, ("pretrain", "convert"), ("VERSION",)),
    "lm-eval": Image("workers", "lm-eval-engine", 3, ("evaluate", "release"), ("VERSION",)),
    "axolotl": Image("workers", "axolotl-engine", 3, ("sft",), ("VERSION",)),
}


def with_bases(names: list[str]) -> list[str]:
    """The named images and all that they are built on, in building order; all images for no name."""
    wanted: set[str] = set()
    for name in names or CATALOGUE:
        here: str | None = name
        while here is not None:
            wanted.add(here)
            here = CATALOGUE[here].base
    return [name for name in CATALOGUE if name in wanted]


def built_upon() -> set[str]:
    """The images that others are built on: the large ones."""
    return {image.base for image in CATALOGUE.values() if image.base}
