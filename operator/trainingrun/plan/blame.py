"""Whose fault it is that an attempt has ended: its pod's node, or those that the pod itself names."""

from typing import Final

from trainingrun.api.status import MAX_AVOIDED
from trainingrun_workers.contract import Result

# Reasons by which a pod speaks of nodes that were measured, which may be others than its own.
NAMING: Final = frozenset({"BadNode", "PreflightTimeout"})
MAX_NAME: Final = 253  # characters that the name of a node may have


def nodes(result: Result | None, own: str, only_named: bool) -> tuple[str, ...]:
    """The nodes at fault, the worst first; the pod's own where its words name none, unless `only_named`.

    Words of an older image have one node, under `node`; any image may have said anything.
    """
    named = _named(result) if result is not None and result.reason in NAMING else ()
    return named or ((own,) if own and not only_named else ())


def _named(result: Result) -> tuple[str, ...]:
    said = result.output.get("nodes")
    said = said if isinstance(said, list) else [result.output.get("node")]
    known = [one for one in said if isinstance(one, str) and 0 < len(one) <= MAX_NAME]
    return tuple(dict.fromkeys(known))[:MAX_AVOIDED]
