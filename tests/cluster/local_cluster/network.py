"""The machine's side of the cluster's network: the nodes' bridge, forwarding, and pods' way out."""

from pathlib import Path

from local_cluster.node import POD_RANGE, Node
from local_cluster.shell import output, succeeds

SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
_BRIDGE = "node0"
_NODE_RANGE = "10.89.0.0/24"
# kube-proxy leaves its tables behind when it ends; ours hides pods' addresses from the world outside.
_TABLES = (("ip", "trainingrun"), ("ip", "kube-proxy"), ("ip6", "kube-proxy"))


def prepare(nodes: list[Node]) -> None:
    """Make the bridge with the nodes' addresses on it, and let pods out; what is there already stays.

    A bridge, since the kubelet refuses a loopback address and not every kernel has a dummy device.
    """
    if not exists():
        output(["ip", "link", "add", _BRIDGE, "type", "bridge"])
    for node in nodes:
        output(["ip", "address", "replace", f"{node.address}/24", "dev", _BRIDGE])
    output(["ip", "link", "set", _BRIDGE, "up"])
    # The kernel wants a route before kube-proxy's rules can send a service's packet elsewhere, also with no way out.
    output(["ip", "route", "replace", SERVICE_RANGE, "dev", _BRIDGE, "src", nodes[0].address])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # A service's address that kube-proxy has not replaced by a pod's must never leave the machine.
    inside = f"{{ {POD_RANGE}, {_NODE_RANGE}, {SERVICE_RANGE} }}"
    rules = f"""\
table ip trainingrun
delete table ip trainingrun
table ip trainingrun {{
  chain out {{
    type nat hook postrouting priority srcnat;
    ip saddr {POD_RANGE} ip daddr != {inside} masquerade
  }}
  chain lost {{
    type filter hook output priority filter;
    ip daddr {SERVICE_RANGE} reject
  }}
  chain lost_from_pods {{
    type filter hook forward priority filter;
    ip daddr {SERVICE_RANGE} reject
  }}
}}
"""
    output(["nft", "-f", "-"], stdin=rules)


def exists() -> bool:
    """Whether the bridge is there."""
    return succeeds(["ip", "link", "show", _BRIDGE])


def take_node_away(node: Node) -> None:
    """Remove one node's address from the bridge."""
    if exists():
        succeeds(["ip", "address", "delete", f"{node.address}/24", "dev", _BRIDGE])


def take_away() -> None:
    """Remove the bridge and the tables of nftables."""
    if exists():
        output(["ip", "link", "delete", _BRIDGE])
    for family, table in _TABLES:
        succeeds(["nft", "delete", "table", family, table])
