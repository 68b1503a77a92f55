"""The environment of a gang's ranks: what NCCL and gloo need on each kind of network, threads, no hub.

Source of the variables: NCCL's user guide 2.29, "Environment Variables"
(docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html), and torch's "ProcessGroupNCCL Environment Variables". Only
what NCCL can't find out is set: whatever else is forced keeps it from choosing by the hardware, as the guide warns.
"""

from typing import Final

from trainingrun.api.base import quantity
from trainingrun.api.training import Gang, Network

# NCCL_IB_DISABLE: 1 keeps verbs, of InfiniBand and of RoCE, from being used, so that sockets are; 0 is the default.
# Not set, since NCCL 2.29 does as well or better by itself:
# NCCL_NET_GDR_LEVEL, the distance up to which adapters reach a GPU's memory: chosen by the topology; PHB would lead
#   through the CPU as well where that is slower.
# NCCL_IB_GID_INDEX: since 2.21 the RoCE v2 address (NCCL_IB_ROCE_VERSION_NUM is 2) of each adapter is looked for, which
#   has another index in many pods.
# NCCL_IB_HCA: all adapters that the pod has.
# NCCL_NET: IB would make an error of what falls back to sockets, and shut out plugins of other networks.
# TORCH_NCCL_ASYNC_ERROR_HANDLING: 3, the default, ends a process whose peer is gone; 1 would wait for NCCL's end first.
_PROFILES: Final[dict[str, dict[str, str]]] = {
    "tcp": {"NCCL_IB_DISABLE": "1"},
    "infiniband": {"NCCL_IB_DISABLE": "0"},
    "roce": {"NCCL_IB_DISABLE": "0"},
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
        **{f"NCCL_{name}": value for name, value in gang.network.nccl.items()},
    }


def _threads(gang: Gang) -> dict[str, str]:
    """Each rank's share of the CPUs that a pod asks for; nothing where it asks for none."""
    asked = gang.resources.requests.get("cpu") or gang.resources.limits.get("cpu")
    return {"OMP_NUM_THREADS": str(max(1, int(quantity(asked) // gang.gpus_per_node)))} if asked else {}


def _interfaces(network: Network, variable: str) -> dict[str, str]:
    # NCCL takes what begins with one of them, and may use all that it finds; gloo takes whole names, and fails without.
    return {variable: ",".join(network.socket_interfaces)} if network.socket_interfaces else {}
