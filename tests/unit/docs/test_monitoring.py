"""docs/monitoring.md tells of every metric and alert that there is, and of no other."""

import re
import shutil

import pytest

from builders import REPOSITORY
from monitoring import METRIC, families, rules

TEXT = (REPOSITORY / "docs" / "monitoring.md").read_text()


def rows(title: str) -> set[str]:
    """The first cells of a section's table."""
    section = TEXT.split(f"# {title}\n", 1)[1].split("\n## ")[0]
    return set(
        re.findall(r"`([^`]+)`", " ".join(line.split("|")[1] for line in section.splitlines() if line[:3] == "| `"))
    )


def test_every_metric_is_told_of() -> None:
    assert rows("Of runs") | rows("Of the operator") == set(families())


@pytest.mark.skipif(shutil.which("go") is None, reason="helm is built from source here")
def test_every_rule_is_told_of() -> None:
    found = [one for group in rules()["groups"] for one in group["rules"]]
    assert rows("Alerts") == {one["alert"] for one in found if "alert" in one}
    records = {one["record"] for one in found if "record" in one}
    assert {name for name in METRIC.findall(TEXT) if ":" in name} == records


def test_the_process_declares_what_is_read_at_the_scrape() -> None:
    source = (REPOSITORY / "operator" / "trainingrun" / "controller" / "process.py").read_text()
    declared = re.findall(r'follow\(\s*"([a-z_]+)"', source)
    assert {f"trainingrun_{name}" for name in declared} <= set(families())
    assert len(declared) == 6
