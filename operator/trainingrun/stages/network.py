"""Network profiles: the environment that NCCL and gloo need on each kind of network.

Source of the variables: NCCL's user guide, "Environment Variables".
"""

from typing import Final

from trainingrun.api.training import Gang, Network

_PROFILES: Final[dict[str, dict[str, str]]] = {
    "tcp": {"NCCL_IB_DISABLE": "1"},
    "infiniband": {"NCCL_IB_DISABLE": "0", "NCCL_NET_GDR_LEVEL": "PHB"},
    "roce": {"NCCL_IB_DISABLE": "0", "NCCL_IB_GID_INDEX": "3", "NCCL_NET_GDR_LEVEL": "PHB"},
}


def environment(gang: Gang) -> dict[str, str]:
    """The environment of a gang's ranks: the profile's for GPUs, the interfaces, one thread a rank on CPU."""
    if gang.gpus_per_node == 0:
        return {"OMP_NUM_THREADS": "1", **_interfaces(gang.network, "GLOO_SOCKET_IFNAME")}
    return {
        **_PROFILES[gang.network.profile],
        **_interfaces(gang.network, "NCCL_SOCKET_IFNAME"),
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
    }


def _interfaces(network: Network, variable: str) -> dict[str, str]:
    return {variable: ",".join(network.socket_interfaces)} if network.socket_interfaces else {}
