"""Images: which the values name, what they are called inside, and how each tool copies them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

Command = list[str]
ROLES: Final = ("operator", "tokenize", "pretrain", "convert", "evaluate", "sft", "release")
WAYS: Final = ("copy", "save", "load")


class AirGapError(Exception):
    """A sentence that says what is wrong and what to do."""


def references(values: Mapping[str, Any], also: Iterable[str] = ()) -> list[str]:
    """Every image that the chart and its runs use, each once, digests put behind; AirGapError where one is missing."""
    given = values.get("images") or {}
    digests = given.get("digests") or {}
    found: dict[str, None] = {}
    for role in ROLES:
        if not given.get(role):
            raise AirGapError(f"The values name no image for images.{role}: give a full reference.")
        digest = digests.get(role)
        found[f"{given[role]}@{digest}" if digest else given[role]] = None
    found.update(dict.fromkeys(also))
    return list(found)


def inside(reference: str, registry: str) -> str:
    """What a reference becomes with images.registry: the registry in place of its own, as the chart has it."""
    first, slash, rest = reference.partition("/")
    own = slash and (re.search(r"[.:]", first) or first == "localhost")
    return f"{registry}/{rest if own else reference}"


def target(reference: str, registry: str) -> str:
    """Where an image is put: inside, by its tag; one that has only a digest gets a tag made of it, since not every tool
    writes to a digest. The digest finds it all the same."""
    name, _, digest = inside(reference, registry).partition("@")
    tagged = ":" in name.rpartition("/")[2]
    return name if tagged or not digest else f"{name}:{digest.replace(':', '-')[:19]}"


def source(reference: str) -> str:
    """A reference with a tag or a digest, not both, which some tools refuse."""
    name, at, digest = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}" if at else name


def _crane(way: str, there: str, here: str, file: str) -> list[Command]:
    return {
        "copy": [["crane", "copy", there, here]],
        "save": [["crane", "pull", "--format=oci", there, file]],
        "load": [["crane", "push", file, here]],
    }[way]


def _skopeo(way: str, there: str, here: str, file: str) -> list[Command]:
    copy = ["skopeo", "copy", "--all", "--preserve-digests"]
    return {
        "copy": [[*copy, f"docker://{there}", f"docker://{here}"]],
        "save": [[*copy, f"docker://{there}", f"oci:{file}"]],
        "load": [[*copy, f"oci:{file}", f"docker://{here}"]],
    }[way]


def _ctr(way: str, there: str, here: str, file: str) -> list[Command]:
    pull, push = ["ctr", "images", "pull", there], ["ctr", "images", "push", here]
    tag = ["ctr", "images", "tag", "--force", there, here]
    return {
        "copy": [pull, tag, push],
        "save": [pull, ["ctr", "images", "export", f"{file}.tar", there]],
        "load": [["ctr", "images", "import", f"{file}.tar"], tag, push],
    }[way]


TOOLS: Final[dict[str, Callable[[str, str, str, str], list[Command]]]] = {
    "crane": _crane,
    "skopeo": _skopeo,
    "ctr": _ctr,
}


def commands(tool: str, way: str, images: Sequence[str], registry: str, folder: Path) -> Iterator[Command]:
    """The commands that bring the images inside, or into a folder, or from there."""
    for image in images:
        here = target(image, registry)
        file = re.sub(r"[^A-Za-z0-9.]+", "-", image.partition("@")[0].partition("/")[2] or image)
        digest = image.partition("@")[2]
        yield from TOOLS[tool](way, source(image), here, str(folder / f"{file}{digest.replace(':', '-')[:19]}"))
