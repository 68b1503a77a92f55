"""A manifest's text as a run, read as strictly as kubectl and the API server do, with a line for each fault."""

import difflib
from collections.abc import Iterator
from typing import Any, Final

import yaml
from pydantic import ValidationError

from trainingrun.api import names
from trainingrun.api.crd import schema
from trainingrun.api.schema import Schema
from trainingrun.api.training_run import TrainingRun, TrainingRunSpec
from trainingrun.api.yaml_text import documents

_METADATA: Final = ("name", "namespace", "uid", "generation")


class BadManifestError(Exception):
    """A text that is no run; its message has a line for each fault."""


def read(text: str, source: str) -> TrainingRun:
    """The only run in a text; BadManifestError where there is none or it is wrong. Messages call the text `source`."""
    manifest = _only_run(text, source)
    faults = [*_wrong_metadata(manifest), *_unknown(manifest, schema(), ""), *_wrong_values(manifest)]
    if faults:
        raise BadManifestError("\n".join(faults))
    metadata = {key: value for key, value in manifest["metadata"].items() if key in _METADATA}
    return TrainingRun.from_object({"metadata": metadata, "spec": manifest["spec"]})


def _only_run(text: str, source: str) -> dict[str, Any]:
    try:
        found = documents(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadManifestError(f"{source}{line} is not YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise BadManifestError(f"{source} is not YAML: {' '.join(str(error).split())}.") from error
    runs = [one for one in found if isinstance(one, dict) and one.get("kind") == names.KIND]
    if len(runs) != 1:
        kinds = [str(one["kind"]) for one in found if isinstance(one, dict) and "kind" in one]
        has = f"{len(runs)} of them" if runs else ", ".join(kinds) or "no Kubernetes object"
        raise BadManifestError(f"{source} should hold one {names.KIND}, but has {has}.")
    (run,) = runs
    if run.get("apiVersion") != names.API_VERSION:
        raise BadManifestError(
            f"{source} is of apiVersion {run.get('apiVersion')}, but this program knows {names.API_VERSION}: change it."
        )
    return run


def _wrong_metadata(manifest: dict[str, Any]) -> Iterator[str]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        yield "metadata.name: is missing: give the run a name."


def _unknown(value: Any, known: Schema, path: str) -> Iterator[str]:
    """Fields that the API server would refuse or drop, each with the nearest one that it knows."""
    if isinstance(value, list) and "items" in known:
        for index, item in enumerate(value):
            yield from _unknown(item, known["items"], f"{path}[{index}]")
    if not isinstance(value, dict) or "properties" not in known:
        return
    for name, child in value.items():
        below = f"{path}.{name}" if path else str(name)
        if name in known["properties"]:
            yield from _unknown(child, known["properties"][name], below)
        else:
            yield f"{below}: is no field: {_nearest(str(name), known['properties'])}"


def _nearest(name: str, known: Schema) -> str:
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower().replace("_", ""), by_lower, n=1)
    return f"did you mean {by_lower[near[0]]}?" if near else f"there are {', '.join(sorted(known))}."


def _wrong_values(manifest: dict[str, Any]) -> Iterator[str]:
    if not isinstance(manifest.get("spec"), dict):
        yield "spec: is missing: say what is to be trained."
        return
    try:
        TrainingRunSpec.model_validate(manifest["spec"], strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            if one["type"] != "extra_forbidden":
                yield f"{_place(one['loc'])}: {_fault(one['type'], one['msg'], one['input'])}."


def _place(location: tuple[int | str, ...]) -> str:
    return "spec" + "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in location)


def _fault(kind: str, message: str, value: Any) -> str:
    if kind == "missing":
        return "is missing: add it"
    shown = f", but is {value!r}" if not isinstance(value, dict | list) else ""
    return message[0].lower() + message[1:] + shown
