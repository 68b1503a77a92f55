"""What a batch script says as fields of a gang: nodes, GPUs, network, resources; and what a run has no place for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trainingrun.commands.init.batch_script import BatchScript, Setting
from trainingrun.commands.init.gang_size import Part, World, gang_size
from trainingrun.commands.init.notices import Notice, assumed, lost, unused

# Directives that a run has no field for, and what does the same there.
ELSEWHERE: Final[Mapping[str, str]] = {
    "partition": "a run names nodes by nodeSelector, or a queue by scheduling.queueName",
    "account": "a cluster keeps accounts by namespaces and their quotas, or by scheduling.queueName",
    "qos": "a run is put before others by priorityClassName",
    "constraint": "a run names nodes by nodeSelector",
    "nodelist": "a run names nodes by nodeSelector",
    "exclude": "a run keeps clear of a node by itself on which it has failed twice; taint those that nobody should use",
    "reservation": "a run waits in a queue by scheduling.queueName",
    "array": "one run is one model, so make a manifest for each",
    "dependency": "stages follow each other by themselves",
}
CARRIED: Final = frozenset({
    "nodes", "gres", "gpus-per-node", "gpus", "gpus-per-task", "ntasks", "ntasks-per-node", "cpus-per-task", "mem",
    "job-name", "time", "exclusive", "chdir",
})  # fmt: skip
OF_THE_NETWORK: Final = frozenset({"NCCL_IB_DISABLE", "NCCL_SOCKET_IFNAME", "NCCL_IB_GID_INDEX"})
OF_LIBRARIES: Final = ("NCCL_", "UCX_", "FI_", "TORCH_", "CUDA_", "GLOO_", "PYTORCH_")


def gang(script: BatchScript | None, world: World | None, place: str) -> Part:
    """The fields of a gang; `place` is where they stand, such as spec.pretrain."""
    size = gang_size(script, world, place)
    if script is None:
        return size
    network, resources = _network(script, place), _resources(script, place)
    fields = {**size.fields, **network.fields, **resources.fields}
    notices = (*size.notices, *network.notices, *resources.notices, *_without_a_place(script))
    return Part(fields, notices)


def _network(script: BatchScript, place: str) -> Part:
    variables = script.variables
    network: dict[str, Any] = {}
    if "NCCL_IB_GID_INDEX" in variables:
        network |= {"profile": "roce", "nccl": {"IB_GID_INDEX": variables["NCCL_IB_GID_INDEX"].value}}
    elif "NCCL_IB_DISABLE" in variables:
        network["profile"] = "tcp" if variables["NCCL_IB_DISABLE"].value == "1" else "infiniband"
    if "NCCL_SOCKET_IFNAME" in variables:
        names = variables["NCCL_SOCKET_IFNAME"].value.split(",")
        network["socketInterfaces"] = [one.strip() for one in names if one.strip()][:8]
    return Part({"network": network} if network else {}, tuple(_about_network(script, network, f"{place}.network")))


def _about_network(script: BatchScript, network: Mapping[str, Any], place: str) -> Iterator[Notice]:
    index = script.variables.get("NCCL_IB_GID_INDEX")
    if index is not None:
        yield assumed(
            f"NCCL_IB_GID_INDEX is {index.value} ({script.at(index.line)}), and in a pod an adapter's RoCE v2 address "
            "may have another one: without IB_GID_INDEX NCCL looks for it.",
            f"{place}.nccl",
        )
    if network.get("profile", "tcp") != "tcp":
        yield assumed(
            "The script doesn't name the RDMA devices that a pod asks for: add them under resources here, as your "
            "device plugin calls them, for example rdma/hca: 1; trainingrun doctor lists them.",
            place,
        )


def _resources(script: BatchScript, place: str) -> Part:
    requests: dict[str, Any] = {}
    cpus, given = script.number("cpus-per-task"), script.directives.get("mem")
    if cpus is not None:
        requests["cpu"] = str(cpus * (script.number("ntasks-per-node") or 1))
    memory = _memory(given.value) if given is not None else None
    notices: tuple[Notice, ...] = ()
    if given is not None and memory is None:
        message = (
            f"--mem={given.value} ({script.at(given.line)}) is no amount that a pod can ask for: set "
            "resources.requests.memory."
        )
        notices = (lost(message, place),)
    if memory is not None:
        requests["memory"] = memory
    limits = {"limits": {"memory": memory}} if memory is not None else {}
    return Part({"resources": {"requests": requests, **limits}} if requests else {}, notices)


def _memory(text: str) -> str | None:
    """A quantity; Slurm counts in powers of 1024, in megabytes where no unit stands, and 0 is all of the node."""
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", text.strip(), re.IGNORECASE)
    return f"{match.group(1)}{(match.group(2) or 'M').upper()}i" if match and int(match.group(1)) else None


def _without_a_place(script: BatchScript) -> Iterator[Notice]:
    for name, setting in script.directives.items():
        value = f"={setting.value}" if setting.value else ""
        given = f"--{name}{value} ({script.at(setting.line)})"
        if name in ("output", "error"):
            yield unused(f"{given}: logs are the pods' own, and trainingrun logs merges them.")
        elif name not in CARRIED:
            yield lost(f"{given}: {ELSEWHERE.get(name, 'a run has no such field')}.")
    if script.software:
        lines = ", ".join(str(one.line) for one in script.software)
        yield unused(f"Software that {script.name} chooses (line {lines}): each stage's image brings its own.")
    yield from _variables(script)


def _variables(script: BatchScript) -> Iterator[Notice]:
    others = {name: one for name, one in script.variables.items() if name not in OF_THE_NETWORK}
    for name, setting in others.items():
        if name.startswith(OF_LIBRARIES):
            given = f"{name}={setting.value} ({script.at(setting.line)})"
            yield lost(f"{given}: {_place(name)}.")
    plain = ", ".join(name for name in others if not name.startswith(OF_LIBRARIES))
    if plain:
        yield unused(f"Variables of {script.name} ({plain}): pods get an environment of their own.")


def _place(name: str) -> str:
    if name.startswith("NCCL_"):
        return f"a run has it as network.nccl.{name.removeprefix('NCCL_')}, where the network still needs it"
    return "pods take it from worker.env in the chart's values, for all runs"


def walltime(script: BatchScript) -> tuple[float, Setting] | None:
    """The days that a script may run, and the directive that says so; None where it has no limit that can be read."""
    setting = script.directives.get("time")
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", setting.value) if setting is not None else None
    if setting is None or match is None:
        return None
    days, first, second, third = (int(one or 0) for one in match.groups())
    # days-hours:minutes:seconds and hours:minutes:seconds, else minutes or minutes:seconds
    hours_first = match.group(1) is not None or match.group(4) is not None
    hours, minutes, seconds = (first, second, third) if hours_first else (0, first, second)
    return days + hours / 24 + minutes / 1440 + seconds / 86_400, setting
