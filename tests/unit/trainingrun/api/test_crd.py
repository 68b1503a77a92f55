"""The CRD is one that an API server takes and a person can read."""

import re
from typing import Any

from trainingrun.api import names
from trainingrun.api.crd import COLUMNS, LIST_KEYS, MAX_BYTES, crd, schema
from trainingrun.api.generate import as_yaml
from trainingrun.api.rules import RULES
from trainingrun.api.schema import at, parts

FORBIDDEN = ("$ref", "$defs", "anyOf", "oneOf", "allOf", "title", "default", "const", "nullable")


def version() -> dict[str, Any]:
    """The only version."""
    (found,) = crd()["spec"]["versions"]
    return dict(found)


def test_it_is_named_after_the_resource() -> None:
    made = crd()
    assert made["metadata"]["name"] == "trainingruns.trainingrun.dev"
    assert made["spec"]["names"]["shortNames"] == [names.SHORT_NAME]
    assert (version()["name"], version()["served"], version()["storage"]) == (names.VERSION, True, True)


def test_the_status_is_written_apart_from_the_spec() -> None:
    assert version()["subresources"] == {"status": {}}


def test_it_is_far_smaller_than_an_annotation_may_be() -> None:
    assert len(as_yaml(crd()).encode()) < MAX_BYTES


def test_every_part_is_structural() -> None:
    for path, node in parts(schema()):
        assert not set(FORBIDDEN) & set(node), path
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path


def test_every_field_is_described_by_a_sentence() -> None:
    for path, node in parts(schema()):
        if path != "metadata" and not path.endswith("[]"):
            assert re.search(r"[.)]$", node["description"]), path


def test_every_list_that_is_looked_through_by_a_rule_is_bounded() -> None:
    for path, node in parts(schema()):
        if path.startswith("spec") and node.get("type") == "array":
            assert "maxItems" in node, path


def test_every_text_that_a_user_writes_is_bounded() -> None:
    for path, node in parts(schema()):
        if path.startswith("spec.") and node.get("type") == "string":
            assert {"maxLength", "enum"} & set(node) or path.endswith("socketInterfaces[]"), path


def test_every_typed_rule_is_in_the_schema_and_no_untyped_one() -> None:
    found = [rule["message"] for _, node in parts(schema()) for rule in node.get("x-kubernetes-validations", [])]
    assert sorted(found) == sorted(rule.message for rule in RULES if rule.cel is not None and not rule.untyped)


def test_lists_with_keys_are_maps_whose_keys_are_required() -> None:
    for path, keys in LIST_KEYS.items():
        assert at(schema(), path)["x-kubernetes-list-map-keys"] == keys
        assert set(keys) <= set(at(schema(), f"{path}[]")["required"])


def test_every_column_shows_a_field_that_there_is() -> None:
    for _, _, path, _ in COLUMNS:
        plain = re.sub(r"\[[^]]*\]", "[]", path).removeprefix(".")
        if not plain.startswith("metadata"):
            at(schema(), plain)
