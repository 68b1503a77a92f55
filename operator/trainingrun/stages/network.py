"""The environment of a gang's ranks: what NCCL and gloo need on each kind of network, threads, no hub.

Source of the variables: NCCL's user guide, "Environment Variables".
"""

from typing import Final

from trainingrun.api.base import quantity
from trainingrun.api.training import Gang, Network

_PROFILES: Final[dict[str, dict[str, str]]] = {
    "tcp": {"NCCL_IB_DISABLE": "1"},
    "infiniband": {"NCCL_IB_DISABLE": "0", "NCCL_NET_GDR_LEVEL": "PHB"},
    # No GID index: since 2.21 NCCL looks for the RoCE v2 one of each device itself, which is another in many pods.
    "roce": {"NCCL_IB_DISABLE": "0", "NCCL_NET_GDR_LEVEL": "PHB"},
}
# All that is read lies on the volume; the workers say the same to the libraries, and make the exceptions.
_OFFLINE: Final = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def environment(gang: Gang) -> dict[str, str]:
    """The environment of a gang's ranks: the profile's for GPUs, the interfaces, the threads of a rank, no hub."""
    if gang.gpus_per_node == 0:
        return {"OMP_NUM_THREADS": "1", **_interfaces(gang.network, "GLOO_SOCKET_IFNAME"), **_OFFLINE}
    return {
        **_PROFILES[gang.network.profile],
        **_interfaces(gang.network, "NCCL_SOCKET_IFNAME"),
        **_threads(gang),
        **_OFFLINE,
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
        **{f"NCCL_{name}": value for name, value in gang.network.nccl.items()},
    }


def _threads(gang: Gang) -> dict[str, str]:
    """Each rank's share of the CPUs that a pod asks for; nothing where it asks for none."""
    asked = gang.resources.requests.get("cpu") or gang.resources.limits.get("cpu")
    return {"OMP_NUM_THREADS": str(max(1, int(quantity(asked) // gang.gpus_per_node)))} if asked else {}


def _interfaces(network: Network, variable: str) -> dict[str, str]:
    return {variable: ",".join(network.socket_interfaces)} if network.socket_interfaces else {}
