"""The table of causes as the documentation prints it."""

from typing import Final

from trainingrun.plan.causes import CAUSES, OTHER_CAUSES, Budget, Cause

_FOLLOWS: Final[dict[Budget, str]] = {
    "fail": "the stage fails; never tried again until the spec changes",
    "infrastructure": "another attempt after a back-off; counted against `recovery.maxRestarts`",
    "preemption": "another attempt at once; counted apart, without a limit",
    "loss": "the stage fails, or goes on from an earlier checkpoint without the data, as `pretrain.badLoss` says",
    "room": "another attempt after 30 s, then twice as long up to five minutes, without a limit; not counted",
    "placement": "another attempt after 30 s, then twice as long up to five minutes, without a limit; not counted",
}


def causes_table() -> str:
    """Markdown: every way in which an attempt ends, in the order in which it is looked for, and what follows."""
    rows = [(cause.name, cause.meaning, _FOLLOWS[cause.budget] + _blame(cause)) for cause in CAUSES]
    rows += [(name, meaning, _FOLLOWS[budget]) for name, (budget, meaning) in OTHER_CAUSES.items()]
    lines = ["| cause | how it is known | what follows |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| `{name}` | {meaning} | {follows} |" for name, meaning, follows in rows]) + "\n"


def _blame(cause: Cause) -> str:
    if cause.blames_at_once:
        return "; the nodes that it names are avoided at once"
    if cause.blames_only_named:
        return "; the second time, nodes that it names are avoided"
    return "; the second time, its node is avoided" if cause.blames_node else ""
