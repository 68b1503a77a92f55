"""What a rank measures of its device, its pod, the volume and its neighbours; about a second with GPUs, less without.

Every rank of the gang has to call `measure`, since some of it is done together.
"""

import dataclasses
import functools
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as distributed

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.launched import LaunchedRank
from trainingrun_workers.pretrain.preflight import health, nvml
from trainingrun_workers.watchdog import node_name

VOLUME_BYTES: Final = 4 * 2**20
SHM: Final = Path("/dev/shm")  # noqa: S108 - the pod's own, of which only the room is asked


def measure(rank: LaunchedRank, cpu: bool, folder: Path, begin: Callable[[str], None]) -> dict[str, Any]:
    """This rank's figures: rank, node, what its device is, and the measures that `judgement.MEASURES` names.

    `begin` is told each part, one of `deadline.PARTS`, before it is done.
    """
    device = torch.device("cpu") if cpu else torch.device("cuda", torch.cuda.current_device())
    figures: dict[str, Any] = {"rank": rank.rank, "node": node_name()}
    begin("card")
    figures |= {} if cpu else _card(device)
    begin("matmul")
    figures["matmulTflops"] = _matmul(device)
    if rank.local_rank == 0:
        begin("volume")
        figures["shmFree"] = shutil.disk_usage(SHM).free
        figures["volumeMbs"] = _volume(folder / f".probe-{rank.rank}")
    if rank.world_size > 1:
        begin("allReduce")
        figures["allReduceGbs"] = _all_reduce(device, rank.world_size)
        begin("links")
        figures |= _edges(rank, device)
    return figures


def _card(device: torch.device) -> dict[str, Any]:
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        raise BadConfig("NoBfloat16", f"{torch.cuda.get_device_name(device)} has no bfloat16: ask for newer GPUs.")
    free, total = torch.cuda.mem_get_info(device)
    figures = {"card": torch.cuda.get_device_name(device), "memoryFree": free, "memory": total}
    found = nvml.health(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    return figures if found is None else figures | {health.KEY: dataclasses.asdict(found)}


def _matmul(device: torch.device) -> float:
    size, times, kind = (256, 3, torch.float32) if device.type == "cpu" else (8192, 10, torch.bfloat16)
    one = torch.randn(size, size, device=device, dtype=kind)
    seconds = _seconds(device, lambda: one @ one, times)
    return round(2.0 * float(size) ** 3 / seconds / 1e12, 4)


def _all_reduce(device: torch.device, ranks: int) -> float:
    """What NCCL's tests call bus bandwidth, in GB/s."""
    values = torch.zeros((1 if device.type == "cpu" else 128) * 2**18, device=device)
    seconds = _seconds(device, lambda: distributed.all_reduce(values), 3)
    return round(float(values.nbytes * 2 * (ranks - 1) / ranks / seconds / 1e9), 4)


def _edges(rank: LaunchedRank, device: torch.device) -> dict[str, float]:
    """The better of the links from a node's first rank to those of the two nodes beside it, both ways at once."""
    per_node = int(os.environ["LOCAL_WORLD_SIZE"])
    nodes, own = rank.world_size // per_node, rank.rank // per_node
    if nodes < 2 or rank.local_rank:
        return {}
    values = torch.zeros((1 if device.type == "cpu" else 64) * 2**18, device=device)
    rates = [
        values.nbytes / _seconds(device, functools.partial(_swap, values, peer * per_node), 3) / 1e9
        for peer in neighbours(own, nodes)
    ]
    return {"edgeGbs": round(max(rates), 4)}


def neighbours(own: int, nodes: int) -> list[int]:
    """The nodes beside one on a ring, in an order in which no two wait for each other: each edge has its round."""
    edges = sorted(
        {tuple(sorted((one, (one + 1) % nodes))) for one in range(nodes)}, key=lambda one: _round(one, nodes)
    )
    return [other for edge in edges if own in edge for other in edge if other != own]


def _round(edge: tuple[int, ...], nodes: int) -> tuple[int, int]:
    first, second = edge
    closing = second - first > 1
    return (2 if nodes % 2 else 1, first) if closing else (first % 2, first)


def _swap(values: torch.Tensor, peer: int) -> None:
    received = torch.empty_like(values)
    pair = [distributed.P2POp(distributed.isend, values, peer), distributed.P2POp(distributed.irecv, received, peer)]
    for work in distributed.batch_isend_irecv(pair):
        work.wait()


def _volume(path: Path) -> float:
    """MB/s of writing a small file until it is safe and reading it."""
    data = os.urandom(VOLUME_BYTES)
    started = time.monotonic()
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
    return round(2 * VOLUME_BYTES / max(time.monotonic() - started, 1e-9) / 1e6, 1)


def _seconds(device: torch.device, work: Callable[[], Any], times: int) -> float:
    """Seconds of one of `times` rounds, after one that is not counted."""
    work()
    _settle(device)
    started = time.monotonic()
    for _ in range(times):
        work()
    _settle(device)
    return max((time.monotonic() - started) / times, 1e-9)


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
