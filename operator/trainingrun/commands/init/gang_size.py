"""How many nodes and GPUs a gang has, out of a batch script and of what the configuration asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.commands.init.batch_script import BatchScript, Setting
from trainingrun.commands.init.notices import Notice, assumed, contradiction

MOST_GPUS: Final = 8  # of a node, where nobody says how many it has


@dataclass(frozen=True)
class World:
    """How many processes a configuration asks for, and the words for it."""

    processes: int
    words: str  # for example "cfg.yaml line 88 asks for dp·tp·pp = 64·1·1 = 64 processes"


@dataclass(frozen=True)
class Part:
    """A part of a manifest and what is to be said about it."""

    fields: dict[str, Any]
    notices: tuple[Notice, ...] = ()


def gang_size(script: BatchScript | None, world: World | None, place: str) -> Part:
    """nodes and gpusPerNode; `place` is where they stand, such as spec.pretrain."""
    if script is None or not script.nodes or _gpus(script, world) is None:
        return _spread(script, world, place)
    nodes, gpus = script.nodes, _gpus(script, world) or 0
    notices = [*_allocated_and_launched(script, gpus, world, place), *_remarks(script, place)]
    if world is not None and nodes * gpus != world.processes:
        place_of_it = script.at(script.directives["nodes"].line)
        before = f"{place_of_it} asks for {nodes} nodes with {gpus} GPUs, which are {nodes * gpus}"
        nodes, gpus = (world.processes // gpus, gpus) if world.processes % gpus == 0 else _even(world.processes)
        notices.append(
            contradiction(
                f"{world.words}, but {before}: nodes {nodes} and gpusPerNode {gpus} are written, so that the global "
                "batch stays as it was.",
                f"{place}.nodes",
            )
        )
    return Part({"nodes": nodes, "gpusPerNode": gpus}, tuple(notices))


def _gpus(script: BatchScript, world: World | None) -> int | None:
    """GPUs a node: where the allocation and the launch disagree, what fits the configuration, else the allocation."""
    allocated, launched = script.gpus, script.launched("nproc-per-node")
    if allocated is None or launched is None:
        return (allocated[0] if allocated else launched) or None  # gpu:0 is how jobs without GPUs say so
    fits = world is not None and world.processes == (script.nodes or 1) * launched
    return (launched if fits else allocated[0]) or None


def _allocated_and_launched(script: BatchScript, gpus: int, world: World | None, place: str) -> Iterator[Notice]:
    allocated, launched = script.gpus, script.launched("nproc-per-node")
    if allocated is None or launched is None or script.launch is None or allocated[0] == launched:
        return
    given = script.variables.get("GPUS_PER_NODE")
    line = given.line if given is not None and given.value == str(launched) else script.launch.line
    fits = world is not None and world.processes == (script.nodes or 1) * gpus
    why = f", which makes the {world.processes} processes of the configuration" if world is not None and fits else ""
    yield contradiction(
        f"{script.at(allocated[1].line)} asks for {allocated[0]} GPUs a node, but {script.at(line)} starts {launched} "
        f"processes on each: {gpus} is written{why}.",
        f"{place}.gpusPerNode",
    )


def _even(processes: int) -> tuple[int, int]:
    """Nodes and GPUs a node for a number of processes, with as many GPUs a node as go into it, eight at most."""
    gpus = max(one for one in range(1, MOST_GPUS + 1) if processes % one == 0)
    return processes // gpus, gpus


def _spread(script: BatchScript | None, world: World | None, place: str) -> Part:
    """Nodes and GPUs where the script leaves one of them out, or there is none."""
    nodes, gpus = (script.nodes, _gpus(script, world)) if script is not None else (None, None)
    if world is None:
        nodes, gpus = nodes or 1, gpus or MOST_GPUS
    elif gpus and world.processes % gpus == 0:
        nodes = world.processes // gpus
    elif nodes and world.processes % nodes == 0:
        gpus = world.processes // nodes
    else:
        nodes, gpus = _even(world.processes)
    said = f"{script.name} doesn't say both" if script is not None else "no batch script says it"
    fits = f" make the {world.processes} processes of the configuration" if world is not None else " are a guess"
    notice = assumed(f"nodes {nodes} and gpusPerNode {gpus}{fits}, since {said}.", f"{place}.nodes")
    return Part({"nodes": nodes, "gpusPerNode": gpus}, (notice,))


def _remarks(script: BatchScript, place: str) -> Iterator[Notice]:
    """Numbers in comments behind a value that are not the value's."""
    gpus, nodes = script.gpus, script.nodes
    settings = [
        (script.directives.get("nodes"), nodes, r"(\d+)\s+nodes?\b", "nodes", "nodes"),
        (script.variables.get("NNODES"), nodes, r"^(\d+)\b", "nodes", "nodes"),
    ]
    if gpus is not None:
        total = None if nodes is None else nodes * gpus[0]
        settings += [
            (gpus[1], gpus[0], r"(\d+)\s+\w+\s+per\s+node", "GPUs a node", "gpusPerNode"),
            (gpus[1], total, r"(\d+)\s+total", "GPUs in all", "gpusPerNode"),
        ]
    for setting, value, pattern, what, field in settings:
        yield from _remark(script, setting, value, pattern, what, f"{place}.{field}")


def _remark(
    script: BatchScript, setting: Setting | None, value: int | None, pattern: str, what: str, place: str
) -> Iterator[Notice]:
    match = re.search(pattern, setting.comment) if setting is not None else None
    if setting is None or match is None or value is None or int(match.group(1)) == value:
        return
    message = (
        f'{script.at(setting.line)} says {value} {what}, but its comment says "{setting.comment}": {value} counts.'
    )
    yield contradiction(message, place)
