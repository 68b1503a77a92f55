"""The reference tells every field, every rule and every value, each once."""

import re

from trainingrun.api.policy import CHANGE_CHECKS
from trainingrun.api.reference import reference
from trainingrun.api.rules import RULES
from trainingrun.api.training_run import TrainingRunSpec

PAGE = reference()


def test_every_field_of_the_spec_has_a_row() -> None:
    for name, field in TrainingRunSpec.model_fields.items():
        assert f"| `{field.alias or name}` |" in PAGE


def test_every_row_ends_with_a_sentence() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert [row for row in rows if not row.endswith(". |")] == []


def test_every_link_leads_somewhere() -> None:
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in PAGE.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\(#([^)]+)\)", PAGE)) <= headings


def test_no_heading_occurs_twice() -> None:
    headings = [line for line in PAGE.splitlines() if line.startswith("#")]
    assert len(headings) == len(set(headings))


def test_bounds_and_defaults_are_told() -> None:
    assert "| `gpusPerNode` | integer, 0 to 64 | `8` |" in PAGE
    assert "| `weight` | number above 0 | `1.0` |" in PAGE
    assert "| `config` | object, as it is | **required** |" in PAGE


def test_every_rule_is_told() -> None:
    for rule in RULES:
        assert rule.message in PAGE
    for check in CHANGE_CHECKS:
        assert check.sentence.split("{")[0] in PAGE
