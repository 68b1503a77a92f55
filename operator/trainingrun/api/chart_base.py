"""What all of the chart's values have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from trainingrun.api.base import NAME_PATTERN

OptionalName = Annotated[str, Field(pattern=rf"^$|{NAME_PATTERN}", max_length=253)]
AnyName = Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", max_length=253)]
Image = Annotated[str, Field(pattern=r"^$|^[^\s]+$")]
Strings = dict[str, str]
Raw = dict[str, Any]  # as in a pod: the API server says what is wrong with it


class Values(BaseModel):
    """A part of the values: camelCase, unknown keys refused, so that a misspelt one is told."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, use_attribute_docstrings=True
    )
