"""Every fault by name: those that strike a gang, many of them in one run, and those that take a run of their own."""

from collections.abc import Callable
from typing import Final

from chaos.deletion import claim_of_a_deleted_run, run_deleted, run_deleted_without_operator, uninstalled
from chaos.faults import STRIKES
from chaos.outages import disk_full, node_lost, operator_killed
from chaos.records import Record
from chaos.suspension import suspended_in_every_stage
from chaos.world import World

FAULTS: Final = {fault.name: fault for fault in STRIKES}
SCENARIOS: Final[dict[str, Callable[[World], Record | list[Record]]]] = {
    "disk full": disk_full,
    "operator killed": operator_killed,
    "run deleted": run_deleted,
    "operator away": run_deleted_without_operator,
    "claim deleted": lambda world: claim_of_a_deleted_run(world, "Delete"),
    "claim retained": lambda world: claim_of_a_deleted_run(world, "Retain"),
    "uninstalled": uninstalled,
    "suspended": suspended_in_every_stage,
    "node lost": node_lost,
}
SHORT: Final = ("rank killed", "out of memory", "pod evicted", "disk full", "operator away", "uninstalled")
