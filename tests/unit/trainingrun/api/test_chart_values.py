"""What the chart takes is what its values.yaml says, and nothing misspelt."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from builders import REPOSITORY
from trainingrun.api.chart_page import chart_page
from trainingrun.api.chart_values import ChartValues, values_schema
from trainingrun.api.reference import model_in


def values() -> dict[str, Any]:
    """values.yaml as it is."""
    return dict(yaml.safe_load((REPOSITORY / "helm" / "trainingrun" / "values.yaml").read_text()))


def test_the_charts_own_values_are_the_defaults() -> None:
    assert ChartValues.model_validate(values()) == ChartValues()


def test_every_value_is_in_values_yaml_with_its_default() -> None:
    known = {key: value for key, value in ChartValues().model_dump(by_alias=True).items() if key != "global"}
    free = ("resources", "defaultResources")  # whose keys are Kubernetes'
    found = values()
    for section, key in (("operator", "resources"), ("worker", "defaultResources")):
        assert set(found[section].pop(key)) <= {"requests", "limits"}
    assert found == {
        name: {key: one for key, one in value.items() if key not in free} if isinstance(value, dict) else value
        for name, value in known.items()
    }


def test_every_value_has_a_row_with_a_sentence_on_the_charts_page() -> None:
    page = chart_page()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(paths(ChartValues)) <= set(rows)
    assert [row for row in rows.values() if not row.endswith(". |") and "set |" not in row] == []
    assert "| `operator.replicas` | integer, 1 to 5 | `1` |" in page
    anchors = {line.lstrip("# ").lower().replace(" ", "-") for line in page.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\(#([^)]+)\)", page)) <= anchors


def paths(model: type[BaseModel], place: str = "") -> Iterator[str]:
    """The paths of all values that are no section."""
    for name, field in model.model_fields.items():
        inner, listed = model_in(field.annotation)
        if inner is not None and not listed:
            yield from paths(inner, f"{place}{field.alias or name}.")
        else:
            yield f"{place}{field.alias or name}"


def test_the_schema_describes_every_value_and_leaves_no_section_open() -> None:
    for name, one in values_schema()["$defs"].items():
        assert one["additionalProperties"] is False, name
        assert all(value.keys() & {"description", "$ref"} for value in one["properties"].values()), name
    assert "anyOf" not in str(values_schema())


@pytest.mark.parametrize(
    "wrong",
    [
        {"worker": {"runAsUser": 0}},
        {"worker": {"fsGrup": 1}},
        {"watch": {"namespaces": ["Not_A_Name"]}},
        {"images": {"operator": "two words"}},
        {"operator": {"logLevel": "LOUD"}},
    ],
    ids=lambda one: str(one),
)
def test_a_wrong_value_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChartValues.model_validate(wrong)


def test_a_quantity_may_be_a_whole_number_for_helm() -> None:
    size = values_schema()["$defs"]["Worker"]["properties"]["shmSize"]
    assert size["type"] == ["string", "integer"]
    assert "x-kubernetes" not in str(values_schema())
