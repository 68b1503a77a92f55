"""What the chart takes is what its values.yaml says, and nothing misspelt."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from builders import REPOSITORY
from trainingrun.api.chart_values import ChartValues, values_schema


def values() -> dict[str, Any]:
    """values.yaml as it is."""
    return dict(yaml.safe_load((REPOSITORY / "helm" / "trainingrun" / "values.yaml").read_text()))


def test_the_charts_own_values_are_the_defaults() -> None:
    assert ChartValues.model_validate(values()) == ChartValues()


def test_every_value_is_in_values_yaml() -> None:
    known = ChartValues().model_dump(by_alias=True) | {"global": None}
    assert set(known) - {"global"} == set(values())
    for section in ("images", "watch", "operator", "worker"):
        assert set(values()[section]) == set(known[section])


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
