"""SCHEMA: the models as the structural OpenAPI schema that a CRD takes.

Kubernetes takes a subset of OpenAPI 3.0: no references, no `anyOf` for what may be left out, and `exclusiveMinimum` as
a flag. Defaults are told in the descriptions and not set by the API server, so that an object stays what its user
wrote and a later version may change one. Format: Kubernetes' documentation, "Specifying a structural schema".
"""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

# What means the same in both.
_KEPT: Final = (
    "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern", "enum", "minItems", "maxItems",
    "maxProperties",
)  # fmt: skip


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model with everything below it; ValueError for a type that has none."""
    full = model.model_json_schema(by_alias=True)
    return _node(full, full.get("$defs", {}))


def at(schema: Schema, path: str) -> Schema:
    """The part of a schema at a path such as spec.data[].weight, the whole for ""; KeyError where there is none."""
    for part in filter(None, path.replace("[]", ".[]").split(".")):
        schema = schema["items"] if part == "[]" else schema["properties"][part]
    return schema


def parts(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every part of a schema with its path, the whole first."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from parts(child, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from parts(schema["items"], f"{path}[]")


def _node(raw: Schema, definitions: dict[str, Schema]) -> Schema:
    raw = _resolved(raw, definitions)
    described = _description(raw)
    result: Schema = {"description": described} if described else {}
    if "type" not in raw:
        raise ValueError(f"{described!r} has no single type, which a structural schema needs: {raw}.")
    if raw.get("x-kubernetes-int-or-string"):
        result["x-kubernetes-int-or-string"] = True  # which stands for the type
    else:
        result["type"] = raw["type"]
    result.update({key: raw[key] for key in _KEPT if key in raw})
    if "const" in raw:
        result["enum"] = [raw["const"]]
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if flag in raw:
            result.update({bound: raw[flag], flag: True})
    if raw["type"] == "array":
        result["items"] = _node(raw["items"], definitions)
    if raw["type"] == "object":
        result.update(_object(raw, definitions))
    return result


def _object(raw: Schema, definitions: dict[str, Schema]) -> Schema:
    if "properties" in raw:
        found: Schema = {"properties": {name: _node(one, definitions) for name, one in raw["properties"].items()}}
        return found | ({"required": sorted(raw["required"])} if raw.get("required") else {})
    values = raw.get("additionalProperties", True)
    if values is True:
        return {"x-kubernetes-preserve-unknown-fields": True}
    return {"additionalProperties": _node(values, definitions)}


def _resolved(raw: Schema, definitions: dict[str, Schema]) -> Schema:
    """A node without its reference, and without the null that stands for being left out."""
    if "$ref" in raw:
        return _resolved(definitions[raw["$ref"].rpartition("/")[2]], definitions) | _beside(raw, "$ref")
    choices = [one for one in raw.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        return _resolved(choices[0], definitions) | _beside(raw, "anyOf")
    return raw


def _beside(raw: Schema, key: str) -> Schema:
    return {name: value for name, value in raw.items() if name != key}


def _description(raw: Schema) -> str:
    text = " ".join(raw.get("description", "").split())
    default = raw.get("default")
    if default is None or isinstance(default, dict | list):
        return text
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    return f"{text} Default: {shown}."
