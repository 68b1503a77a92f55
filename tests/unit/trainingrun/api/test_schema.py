"""Models become structural schemas: no references, no nulls, bounds as OpenAPI 3.0 writes them, defaults as text."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from trainingrun.api.base import Model, Quantity
from trainingrun.api.schema import at, parts, structural


class Inner(Model):
    """What is inside."""

    size: Quantity
    """How large it is."""


class Outer(Model):
    """What is outside."""

    count: Annotated[int, Field(ge=1)] | None = None
    """How many; all where it is left out."""
    share: Annotated[float, Field(gt=0)] = 0.5
    """Which part."""
    kind: Literal["only"] = "only"
    """Which one."""
    on: bool = False
    """Whether it is."""
    inner_part: Inner
    """The part inside."""
    many: Annotated[list[Inner], Field(max_length=3)] = []
    """More of them."""
    anything: dict[str, Any] = {}
    """As it is."""
    labels: dict[str, str] = {}
    """Texts by name."""


SCHEMA = structural(Outer)


def test_what_may_be_left_out_is_not_nullable_and_not_required() -> None:
    described = "How many; all where it is left out."
    assert at(SCHEMA, "count") == {"description": described, "type": "integer", "minimum": 1}
    assert SCHEMA["required"] == ["innerPart"]


def test_an_open_bound_is_a_flag() -> None:
    assert at(SCHEMA, "share")["minimum"] == 0
    assert at(SCHEMA, "share")["exclusiveMinimum"] is True


def test_a_default_is_told_and_not_set() -> None:
    assert at(SCHEMA, "share")["description"] == "Which part. Default: 0.5."
    assert at(SCHEMA, "on")["description"] == "Whether it is. Default: false."
    assert all("default" not in node for _, node in parts(SCHEMA))


def test_a_single_value_is_an_enum() -> None:
    assert at(SCHEMA, "kind")["enum"] == ["only"]


def test_references_are_followed_and_the_field_says_what_it_is() -> None:
    assert at(SCHEMA, "innerPart")["description"] == "The part inside."
    assert at(SCHEMA, "many[]")["description"] == "What is inside."
    assert at(SCHEMA, "many")["maxItems"] == 3


def test_a_quantity_may_be_a_whole_number() -> None:
    size = at(SCHEMA, "innerPart.size")
    assert size["x-kubernetes-int-or-string"] is True
    assert "type" not in size


def test_an_engines_configuration_is_kept_as_it_is() -> None:
    assert at(SCHEMA, "anything")["x-kubernetes-preserve-unknown-fields"] is True
    assert at(SCHEMA, "labels")["additionalProperties"] == {"type": "string"}


def test_a_place_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        at(SCHEMA, "innerPart.colour")


def test_a_type_without_a_structural_schema_is_refused() -> None:
    class Mixed(Model):
        """Either of two."""

        value: str | list[str] = ""
        """One or more."""

    with pytest.raises(ValueError, match="no single type"):
        structural(Mixed)
