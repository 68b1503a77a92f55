"""Which run refers to which folder of a volume, out of the runs as the API server has them: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from trainingrun.api.notes import errors
from trainingrun.api.training_run import TrainingRun
from trainingrun.stages.layout import places, token_folders
from trainingrun.stages.translated import translated, volume_path

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Users:
    """The runs on a claim with the folders that each refers to."""

    folders: Mapping[str, frozenset[str]]  # by the run's name
    opaque: tuple[str, ...] = ()  # runs that can't be understood, and so count as referring to everything

    def of(self, folder: str) -> tuple[str, ...]:
        """Names of the runs that refer to a folder, or may."""
        return tuple(sorted([name for name, theirs in self.folders.items() if folder in theirs] + list(self.opaque)))


def users(runs: Iterable[Raw], claim: str) -> Users:
    """The users of a claim among the runs of its namespace."""
    folders: dict[str, frozenset[str]] = {}
    opaque: list[str] = []
    for raw in runs:
        if claim_of(raw) != claim:
            continue
        name = raw["metadata"]["name"]
        theirs = referred(raw)
        if theirs is None:
            opaque.append(name)
        else:
            folders[name] = theirs
    return Users(folders, tuple(sorted(opaque)))


def referred(raw: Raw) -> frozenset[str] | None:
    """The folders that a run has or will have by its spec, and all that its status names.

    None where the spec can't be read or translated: nobody knows what the run will refer to once it is mended.
    """
    try:
        run = TrainingRun.from_object(raw)
    except ValidationError:
        return None
    made = translated(run)
    if errors(made.notes):
        return None
    own = {place.folder for place in places(run, made).values()}
    own |= {_artifact(one.base.path) for one in run.spec.variants if one.base is not None}
    return frozenset(
        own | set(token_folders(run, made).values()) | {one.folder for one in run.status.stages if one.folder}
    )


def unused(artifacts: Iterable[Raw], known: Users, older_than: float, releases: bool) -> list[Raw]:
    """The folders that may be removed: nobody refers to them and nothing in them changed for `older_than` seconds.

    A finished model outlives its run: it is among them only with `releases`.
    """
    return [
        one
        for one in artifacts
        if not known.of(one["path"])
        and one["ageSeconds"] >= older_than
        and (releases or one["kind"] != "release" or not one["complete"])
    ]


def _artifact(path: str) -> str:
    """The folder of the artifact that a path leads into: artifacts/KIND/HASH."""
    return "/".join(volume_path(path).split("/")[:3])


def claim_of(raw: Raw) -> str:
    """Name of the run's claim: the one that it names, or the one that is made for it."""
    return str((raw["spec"].get("storage") or {}).get("claimName") or raw["metadata"]["name"])
