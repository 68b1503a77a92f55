"""CHART PAGE: every value of the chart by its whole path, as Markdown for docs/values.md."""

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from trainingrun.api.chart_values import ChartValues
from trainingrun.api.reference import cell, kind, model_in
from trainingrun.api.schema import structural

_INTRODUCTION: Final = """\
<!-- Made by `make generate` from operator/trainingrun/api: never edit it here. -->
# Values of the chart

What `helm install trainingrun helm/trainingrun --values FILE` takes. Only the images must be given. A key that is not
listed here is refused, and so is a value of the wrong type: Helm holds the file against `values.schema.json`, which is
made of the same models as this page. `helm/trainingrun/values.yaml` has all defaults with comments.

| to install | set |
| --- | --- |
| from a private registry | `images.registry`, `imagePullSecrets`; [air-gap.md](air-gap.md) fills the registry |
| by content | `images.digests`, or references with `@sha256:…` |
| with a second replica | `operator.replicas: 2`, and `operator.topologySpreadConstraints` for zones |
| for some namespaces only | `watch.namespaces`, and perhaps `watch.nodes: false`; [below](#some-namespaces-only) |
| on tainted or labelled nodes | `operator.tolerations`, `operator.nodeSelector`; `worker.…` for the pods of all runs |
| where traffic is closed by default | `networkPolicy.enabled`, `networkPolicy.egress.enabled` |
| by GitOps, which applies `crds/` itself | `crds.upgrade: false` |
"""

_NAMESPACED: Final = """\
## Some namespaces only
With `watch.namespaces` the operator watches these and has its rights by a Role in each. Two rights have no namespace
and stay in a ClusterRole of a few lines: `create` of `tokenreviews`, by which a report's token is checked, and `get` of
`nodes`, which `watch.nodes: false` takes away; pods of a dead node then count as deleted once Kubernetes has evicted
them.

Who may make no ClusterRoles installs with `rbac.create=false`, `admissionPolicy.enabled=false` and `crds.upgrade=false`
after an administrator has applied `helm/trainingrun/crds/` and what
`helm template … --show-only templates/rbac.yaml --show-only templates/lease.yaml` prints.
"""

Row = tuple[str, str, str, str]


def chart_page() -> str:
    """The whole page."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    shapes: dict[type[BaseModel], None] = {}
    yield "## All of them\n"
    yield from _table(_rows(ChartValues, "", ChartValues().model_dump(by_alias=True), shapes))
    yield _NAMESPACED
    for shape in shapes:
        yield f"## {shape.__name__}\n\n{cell(shape.__doc__ or '')}\n"
        yield from _table(_rows(shape, "", {}, {}))


def _table(rows: Iterator[Row]) -> Iterator[str]:
    yield "| value | type | default | what |\n| --- | --- | --- | --- |"
    yield from (f"| `{path}` | {takes} | {default} | {what} |" for path, takes, default, what in rows)
    yield ""


def _rows(
    model: type[BaseModel], path: str, defaults: dict[str, Any], shapes: dict[type[BaseModel], None]
) -> Iterator[Row]:
    """A row for each value below a model, whose defaults at this place are given; models of lists go to `shapes`."""
    schema = structural(model)
    for name, field in model.model_fields.items():
        alias = field.alias or name
        inner, listed = model_in(field.annotation)
        if inner is not None and not listed:
            yield from _rows(inner, f"{path}{alias}.", defaults[alias], shapes)
            continue
        if inner is not None:
            shapes[inner] = None
        default = defaults.get(alias, field.default)
        shown = "**required**" if field.is_required() else "" if default is None else f"`{json.dumps(default)}`"
        yield path + alias, kind(schema["properties"][alias], inner), shown, cell(field.description or "")
