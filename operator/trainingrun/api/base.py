"""What all models of the resource have in common: camelCase on the wire, no unknown field, shared value types."""

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

QUANTITY_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?([EPTGMk]i?|m)?$"
DURATION_PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(s|m|h|d))+$"
NAME_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

_UNITS: Final = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "ki": 2.0**10, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Model(BaseModel):
    """A part of the resource: frozen, camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, use_attribute_docstrings=True
    )


def _whole_number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=63)]
# A whole number may be written without quotes, as in a pod.
Quantity = Annotated[
    str,
    Field(pattern=QUANTITY_PATTERN, max_length=32, json_schema_extra={"x-kubernetes-int-or-string": True}),
    BeforeValidator(_whole_number_as_text),
]
Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)]


def quantity(text: str) -> float:
    """The number that a Kubernetes quantity stands for: "10Ti" is 10·2⁴⁰; ValueError when it is none."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]{0,2})", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a quantity: write a number and a unit such as 500Gi.")
    return float(match[1]) * _UNITS[match[2]]


def seconds(text: str) -> float:
    """The seconds that a duration stands for: "1h30m" is 5400.0; ValueError when it is none."""
    if not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration: write for example 30s, 10m or 1h30m.")
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([smhd])", text))
