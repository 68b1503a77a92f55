"""What is applied, out of whatever a user has: a file, a decoded document, a TrainingRun; pure but for the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainingrun.api import names
from trainingrun.api.manifest_text import BadManifestError, read
from trainingrun.api.training_run import TrainingRun
from trainingrun.api.yaml_text import documents, dumped
from trainingrun.commands.manifest import MISUSED, CommandError

Manifest = dict[str, Any]
Source = str | Path | Mapping[str, Any] | TrainingRun


def manifest_of(source: Source) -> Manifest:
    """The manifest that the API server gets; CommandError with a line for each fault.

    A TrainingRun's has what was set in its spec and no default. Labels and annotations are those of the file or
    document.
    """
    if isinstance(source, TrainingRun):
        metadata = {"name": source.metadata.name, "namespace": source.metadata.namespace}
        spec = source.spec.model_dump(by_alias=True, exclude_unset=True, mode="json")
        return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "spec": without_nulls(spec)}
    text, name = _text(source)
    try:
        read(text, name)
    except BadManifestError as error:
        raise CommandError(str(error)) from error
    (found,) = (one for one in documents(text) if isinstance(one, dict) and one.get("kind") == names.KIND)
    kept = {key: one for key, one in found["metadata"].items() if key in ("name", "namespace", "labels", "annotations")}
    spec = without_nulls(found["spec"])
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": kept, "spec": spec}


def without_nulls(value: Any) -> Any:
    """A decoded value without the keys that are null, as `kubectl apply` sends it.

    A configuration of an engine may not change while its stage trains, so that a null which one way of applying sends
    and another doesn't would be refused as a change.
    """
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def _text(source: str | Path | Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(source, Mapping):
        return dumped(dict(source)), "The manifest"
    try:
        return Path(source).read_text(encoding="utf-8"), str(source)
    except OSError as error:
        raise CommandError(f"{source} can't be read: {error.strerror}.", MISUSED) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{source} is not YAML: byte {error.start} is not UTF-8.") from error
