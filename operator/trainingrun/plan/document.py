"""The table of causes as the documentation prints it."""

from typing import Final

from trainingrun.plan.outcomes import CAUSES, OTHER_CAUSES, Budget

_FOLLOWS: Final[dict[Budget, str]] = {
    "fail": "the stage fails; never tried again until the spec changes",
    "infrastructure": "another attempt after a back-off; counted against `recovery.maxRestarts`",
    "preemption": "another attempt at once; counted apart, without a limit",
}


def causes_table() -> str:
    """Markdown: every way in which an attempt ends, in the order in which it is looked for, and what follows."""
    rows = [(cause.name, cause.meaning, _FOLLOWS[cause.budget]) for cause in CAUSES]
    rows += [(name, meaning, _FOLLOWS[budget]) for name, (budget, meaning) in OTHER_CAUSES.items()]
    lines = ["| cause | how it is known | what follows |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| `{name}` | {meaning} | {follows} |" for name, meaning, follows in rows]) + "\n"
