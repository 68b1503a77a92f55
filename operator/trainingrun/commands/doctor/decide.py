"""CHECKS: all that `trainingrun doctor` looks at, in the order in which it says so. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from trainingrun.commands.doctor import capacity, engines, installed, limits, surroundings, volumes
from trainingrun.commands.doctor.facts import Facts
from trainingrun.commands.doctor.findings import Finding
from trainingrun.commands.doctor.needs import Needs

CHECKS: Final[tuple[Callable[[Facts, Needs | None], Iterator[Finding]], ...]] = (
    installed.server,
    surroundings.clock,
    surroundings.rights,
    installed.definition,
    installed.operator,
    installed.images,
    engines.custom,
    installed.pytorchjob,
    surroundings.namespace,
    limits.quotas,
    limits.limit_ranges,
    volumes.storage,
    surroundings.secrets,
    capacity.nodes,
    capacity.room,
    capacity.rdma,
    surroundings.scheduler,
)


def decide(facts: Facts, needs: Needs | None = None) -> tuple[Finding, ...]:
    """All findings about a cluster, and where a run is given about its needs."""
    return tuple(finding for check in CHECKS for finding in check(facts, needs))
