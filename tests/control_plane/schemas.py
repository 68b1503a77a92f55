"""What an API server says of its kinds, as files of JSON Schema that kubeconform reads."""

import json
from pathlib import Path
from typing import Any

from control_plane.api import Api

DEFINITIONS = "definitions.json"
LOCATION = "{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json"  # kubeconform has the kind in small letters
_KINDS = "x-kubernetes-group-version-kind"


def write_schemas(api: Api, folder: Path) -> str:
    """Write a file for each kind of the server into a folder; yields kubeconform's location of them.

    Source of the form: Kubernetes' "OpenAPI V2" document. What it says of fields is closed: others are refused.
    """
    definitions = api.call("GET", "/openapi/v2")["definitions"]
    closed = {name: strict(one) for name, one in definitions.items()}
    (folder / DEFINITIONS).write_text(json.dumps({"definitions": closed}))
    for name, one in definitions.items():
        for kind in one.get(_KINDS, ()):
            group = kind["group"] or kind["version"]  # as kubeconform calls the group that has no name
            path = folder / f"{kind['kind'].lower()}-{group}-{kind['version']}.json"
            path.write_text(json.dumps({"$ref": f"{DEFINITIONS}#/definitions/{name}"}))
    return str(folder / LOCATION)


def strict(schema: Any) -> Any:
    """A schema whose objects have the fields that it names and no others, all the way down."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["string", "integer"]}
    known = dict(schema)
    if "properties" in schema:
        known["properties"] = {name: strict(one) for name, one in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            known.setdefault("additionalProperties", False)
    for part in ("items", "additionalProperties"):
        if part in known:
            known[part] = strict(known[part])
    return known
