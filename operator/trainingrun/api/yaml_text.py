"""YAML text as kubectl reads it, which is not quite as PyYAML does: 1e-3 is a number, 2027-01-15 and 1:30 are texts.

Source of the patterns: `resolve` of go.yaml.in/yaml/v2, which sigs.k8s.io/yaml reads with.
"""

import re
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode

_NUMBERS: Final = (
    ("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)$")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf)$|^\.(?:nan|NaN)$"),
    ),
)
_REPLACED: Final = {"tag:yaml.org,2002:timestamp", *(tag for tag, _ in _NUMBERS)}


class Loader(yaml.SafeLoader):
    """A loader that refuses a key that occurs twice; the API server would take the last one and warn."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; yaml.constructor.ConstructorError where a key occurs twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:str" and key.value in seen:
                problem = f"the key {key.value} occurs twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    kept = {
        first: [(tag, pattern) for tag, pattern in known if tag not in _REPLACED]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for first in "-+.0123456789":
        kept[first] = [*_NUMBERS, *kept.get(first, [])]
    return kept


Loader.yaml_implicit_resolvers = _resolvers()


class Dumper(yaml.SafeDumper):
    """A dumper that repeats what occurs twice instead of pointing at it, and writes long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never an alias."""
        return True


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)
# What either reader takes for something else is quoted.
Dumper.yaml_implicit_resolvers = {
    first: [*Loader.yaml_implicit_resolvers.get(first, []), *known]
    for first, known in yaml.SafeDumper.yaml_implicit_resolvers.items()
}


def documents(text: str) -> list[Any]:
    """All documents of a text; yaml.YAMLError where it is not YAML."""
    return [one for one in yaml.load_all(text, Loader=Loader) if one is not None]


def dumped(value: Any, width: int = 118) -> str:
    """A value as YAML, keys in their own order."""
    return str(yaml.dump(value, Dumper=Dumper, sort_keys=False, width=width, allow_unicode=True))
