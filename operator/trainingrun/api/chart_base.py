"""What all parts of the chart's values have in common: camelCase, no unknown key, shared types."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from trainingrun.api.base import NAME_PATTERN, Quantity

# [REGISTRY[:PORT]/]PATH[:TAG][@sha256:DIGEST]; format: distribution's reference grammar.
REFERENCE_PATTERN: Final = (
    r"^$|^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(@sha256:[0-9a-f]{64})?$"
)
DIGEST_PATTERN: Final = r"^$|^sha256:[0-9a-f]{64}$"
REGISTRY_PATTERN: Final = r"^$|^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*$"

OptionalName = Annotated[str, Field(pattern=rf"^$|{NAME_PATTERN}", max_length=253)]
AnyName = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253)]
Image = Annotated[str, Field(pattern=REFERENCE_PATTERN, max_length=512)]
EngineImages = Annotated[
    dict[str, Image], Field(json_schema_extra={"propertyNames": {"pattern": NAME_PATTERN, "maxLength": 63}})
]
Digest = Annotated[str, Field(pattern=DIGEST_PATTERN)]
Registry = Annotated[str, Field(pattern=REGISTRY_PATTERN, max_length=255)]
Port = Annotated[int, Field(ge=1, le=65535)]
Strings = dict[str, str]
Raw = dict[str, Any]  # as in a pod: the API server says what is wrong with it


class Values(BaseModel):
    """A part of the values: camelCase, unknown keys refused, so that a misspelt one is told."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, use_attribute_docstrings=True
    )


class ContainerResources(Values):
    """Requests and limits of a container, as in a pod."""

    requests: dict[str, Quantity] = {}
    """What the scheduler reserves."""
    limits: dict[str, Quantity] = {}
    """What the container may use at most."""


class Variable(Values):
    """A variable of a container, as in a pod."""

    name: Annotated[str, Field(min_length=1)]
    """Its name; those of the operator itself begin with TRAININGRUN_."""
    value: str = ""
    """Its value."""
    value_from: Raw = {}
    """Where its value is taken from instead, such as a key of a Secret."""
