"""docs/operations.md tells of every reason that a user can meet: those that are in the code, no fewer and no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainingrun.plan.causes import BUDGETS

REPOSITORY = Path(__file__).resolve().parents[3]
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text()
# Which argument of a call is a reason, by the name of what is called.
REASONS = {
    "Gate": 0, "fail": 2, "Ended": 1, "Event": 1, "Cause": 0,
    "Retry": 0, "BadData": 0, "BadConfig": 0, "Result": 1,
}  # fmt: skip
WORD = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", getattr(node.func, "attr", "")), node


def words(node: ast.AST) -> set[str]:
    """The CamelCase words among a node's texts."""
    texts = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {text for text in texts if WORD.fullmatch(text)}


def reasons(folder: Path) -> set[str]:
    """Every reason that is named in the code below a folder."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for name, call in calls(ast.parse(path.read_text())):
            if name in REASONS and len(call.args) > REASONS[name]:
                found |= words(call.args[REASONS[name]])
            found |= {word for keyword in call.keywords if keyword.arg == "reason" for word in words(keyword.value)}
    return found


@pytest.mark.parametrize("folder", ["operator/trainingrun/plan", "workers/trainingrun_workers"])
def test_every_reason_is_told_of(folder: str) -> None:
    found = reasons(REPOSITORY / folder)
    assert len(found) > 20
    assert sorted(word for word in found if f"`{word}`" not in OPERATIONS) == []


def test_every_cause_of_an_attempts_end_is_told_of() -> None:
    assert sorted(name for name in BUDGETS if f"`{name}`" not in OPERATIONS) == []


def test_no_reason_is_told_of_that_there_is_not() -> None:
    sources = "".join(
        path.read_text() for folder in ("operator", "workers") for path in (REPOSITORY / folder).rglob("*.py")
    )
    told = {word for word in re.findall(r"`([A-Z][A-Za-z]+)`", OPERATIONS) if WORD.fullmatch(word)}
    assert sorted(word for word in told if f'"{word}"' not in sources) == []


def test_the_measured_faults_stand_between_their_marks() -> None:
    assert OPERATIONS.count("<!-- faults -->\n") == OPERATIONS.count("<!-- /faults -->") == 1
