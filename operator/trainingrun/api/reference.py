"""REFERENCE: every field of the resource and every value of the chart as Markdown, for docs/reference.md."""

import re
from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic import BaseModel

from trainingrun.api import names
from trainingrun.api.base import DURATION_PATTERN, Model
from trainingrun.api.chart_base import Values
from trainingrun.api.chart_values import ChartValues
from trainingrun.api.policy import CHANGE_CHECKS, SPEC_CHECKS, Check
from trainingrun.api.rules import RULES
from trainingrun.api.schema import Schema, structural
from trainingrun.api.status import TrainingRunStatus
from trainingrun.api.training_run import TrainingRunSpec

_INTRODUCTION: Final = f"""\
<!-- Made by `make generate` from operator/trainingrun/api: never edit it here. -->
# Reference

The resource is `{names.KIND}` of `{names.API_VERSION}`, short name `{names.SHORT_NAME}`. The cluster has the same text:
`kubectl explain {names.SHORT_NAME}.spec.pretrain`. `trainingrun check FILE` holds a manifest against all of it.

- [The spec](#the-spec): what a run is asked for
- [Rules](#rules): what the fields alone don't say
- [What may change](#what-may-change) when a run has started
- [The status](#the-status): what the operator says
- [Values of the chart](#values-of-the-chart)

The API server sets no defaults: an object stays what its user wrote, and the operator fills in the defaults below.

**A misspelt field** is refused by kubectl, Helm and every client that asks for strict field validation. A client that
doesn't ask (`kubectl --validate=ignore`, or a library's default) has it dropped by the API server before anything of
this project can see it: Kubernetes prunes what a resource's schema doesn't name.
"""

_CHANGES: Final = """\
At any time, and it takes effect on the next pass: `suspend`, `pretrain.checkpoints`, `recovery`, `resources`,
`nodeSelector`, `tolerations`, `network`, `data[].secretName`, `data[].language`, `data[].license`,
`tokenize.parallelism`, `convert`, `evaluate`, `release`, and variants that are added or taken away. Attempts that run
go on with what they were started with, but for `tokenize.parallelism`, which takes other pods at once; `suspend`, on
and off again, starts them anew.

What a stage is made of stays as it is from its first attempt on, unless that stage has failed. The API server refuses:
"""


def reference() -> str:
    """The whole page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield from _chapter("The spec", TrainingRunSpec, "spec", 3)
    yield "## Rules\n"
    yield from (f"- {place}: {sentence}" for place, sentence in _rules())
    yield "\n## What may change\n"
    yield _CHANGES
    yield from (f"- {_sentence(check)}" for check in CHANGE_CHECKS)
    yield ""
    yield from _chapter("The status", TrainingRunStatus, "status", 3)
    yield from _chapter("Values of the chart", ChartValues, "", 3)


def _rules() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield f"`{rule.path or 'metadata.name'}`", rule.message
    untyped = {rule.message for rule in RULES if rule.untyped}
    for check in SPEC_CHECKS:
        if _sentence(check) not in untyped:
            yield "the engines' configurations", _sentence(check)


def _sentence(check: Check) -> str:
    return re.sub(r"\{\w+\}", "…", check.sentence)


def _chapter(title: str, root: type[BaseModel], path: str, level: int) -> Iterator[str]:
    yield f"## {title}\n"
    for model, places in _models(root, path).items():
        if model is not root:
            where = ", ".join(f"`{place}`" for place in places)
            yield f"{'#' * level} {model.__name__}\n\n{_docstring(model)} At {where}.\n"
        yield from _table(model)


def _models(root: type[BaseModel], path: str) -> dict[type[BaseModel], list[str]]:
    """Every model below `root` with the paths at which it stands, in reading order."""
    found: dict[type[BaseModel], list[str]] = {root: [path]}
    for name, field in root.model_fields.items():
        inner, listed = _model_in(field.annotation)
        if inner is None:
            continue
        below = f"{path}.{field.alias or name}".strip(".") + ("[]" if listed else "")
        for model, places in _models(inner, below).items():
            found.setdefault(model, []).extend(places)
    return found


def _model_in(annotation: Any, listed: bool = False) -> tuple[type[BaseModel] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, Model | Values):
        return annotation, listed
    for one in get_args(annotation):
        model, inside = _model_in(one, listed or getattr(annotation, "__origin__", None) is list)
        if model is not None:
            return model, inside
    return None, False


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| field | type | default | what |\n| --- | --- | --- | --- |"
    schema = structural(model)
    for name, field in model.model_fields.items():
        alias = field.alias or name
        inner, _ = _model_in(field.annotation)
        kind = _kind(schema["properties"][alias], inner)
        default = "**required**" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"| `{alias}` | {kind} | {default} | {_cell(field.description or '')} |"
    yield ""


def _default(value: Any) -> str:
    if value is None or value == "" or isinstance(value, dict | list | BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _kind(node: Schema, model: type[BaseModel] | None) -> str:
    if node.get("type") == "array":
        most = f", at most {node['maxItems']}" if "maxItems" in node else ""
        return f"list of {_kind(node['items'], model)}{most}"
    if model is not None:
        return f"[{model.__name__}](#{model.__name__.lower()})"
    if "enum" in node:
        return " or ".join(f"`{one}`" for one in node["enum"])
    if node.get("type") == "object":
        values = node.get("additionalProperties")
        return f"map of {_kind(values, None)}" if values else "object, as it is"
    if node.get("x-kubernetes-int-or-string"):
        return "quantity"
    if node.get("pattern") == DURATION_PATTERN:
        return "duration"
    return f"{node['type']}{_bounds(node)}"


def _bounds(node: Schema) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f" above {low}" if node.get("exclusiveMinimum") else f" from {low}"
    return f" of at most {node['maxLength']} characters" if "maxLength" in node else ""


def _docstring(model: type[BaseModel]) -> str:
    return _cell(model.__doc__ or "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
