"""The kinds of values that configuration keys take: each reads a JSON value or says what it wants instead."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

_MOST_SHOWN = 60


@dataclass(frozen=True)
class Kind:
    """A kind of value: `read` gives the value as the engine wants it, ValueError when it is none of this kind."""

    words: str  # what it takes, to follow "takes "
    read: Callable[[Any], Any]


def shown(value: Any) -> str:
    """A value as it stands in a message: as JSON, at most some 60 characters."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"


def whole(minimum: int, maximum: int | None = None) -> Kind:
    """Whole numbers from `minimum` to `maximum`; 4.0 counts as 4, as the API server may write either."""

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ValueError
        if maximum is not None and value > maximum:
            raise ValueError
        return int(value)

    return Kind(f"a whole number from {minimum}" + ("" if maximum is None else f" to {maximum}"), read)


def number(minimum: float = -math.inf, above: float = -math.inf, maximum: float = math.inf) -> Kind:
    """Finite numbers within the bounds, read as float; the text "1e-5" counts, since YAML 1.1 takes it for a text."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        result = float(value)
        if not math.isfinite(result) or result < minimum or result <= above or result > maximum:
            raise ValueError
        return result

    return Kind("a number" + _bounds(minimum, above, maximum), read)


def _bounds(minimum: float, above: float, maximum: float) -> str:
    lower = f" above {above:g}" if above > -math.inf else f" from {minimum:g}" if minimum > -math.inf else ""
    return lower + (f" to {maximum:g}" if maximum < math.inf else "")


def one_of(*choices: str) -> Kind:
    """One of the texts, in upper or lower case; read as it is spelled here."""
    by_lower = {choice.lower(): choice for choice in choices}

    def read(value: Any) -> str:
        if not isinstance(value, str) or value.lower() not in by_lower:
            raise ValueError
        return by_lower[value.lower()]

    return Kind("one of " + ", ".join(choices), read)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise ValueError
    return tuple(_text(item) for item in items)


def _weights(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError
    weights = tuple(number(minimum=0.0).read(item) for item in value)
    if sum(weights) <= 0.0:
        raise ValueError
    return weights


FLAG: Final = Kind("true or false", _flag)
TEXT: Final = Kind("a text", _text)
TEXTS: Final = Kind("a text or a list of texts", _texts)
WEIGHTS: Final = Kind("a list of numbers from 0, not all of them 0", _weights)
ANYTHING: Final = Kind("anything", lambda value: value)
