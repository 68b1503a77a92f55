"""A node's kubelet: joins the node, kills it as a power cut would, brings it back."""

import shutil
import signal
from pathlib import Path

from local_cluster import cgroups, containerd, control_plane, images, mounts
from local_cluster.node import FIRST, Node
from local_cluster.programs import built


def start(node: Node) -> None:
    """Start the node's containerd and kubelet unless they run."""
    containerd.start(node, images.tools())
    if node.kubelet.pid() is not None:
        return
    cgroups.make(node.cgroup)
    keys = control_plane.authority()
    keys.sign(node.name, f"/O=system:nodes/CN=system:node:{node.name}", f"IP:{node.address}", f"DNS:{node.name}")
    keys.write_kubeconfig(node.kubeconfig, node.name, control_plane.server())
    _write_configuration(node)
    node.kubelet.start(
        [
            built("kubernetes") / "kubelet",
            f"--config={node.folder}/kubelet.yaml",
            f"--kubeconfig={node.kubeconfig}",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
            f"--root-dir={node.folder}/kubelet",
            f"--cert-dir={node.folder}/kubelet/pki",
            f"--node-labels=trainingrun.dev/node={node.name}",
        ],
        # Without /sbin there is no iptables, of which the kubelet would leave chains behind; nftables does the work.
        {"PATH": "/usr/bin:/bin"},
    )


def end_pods(node: Node) -> None:
    """End the kubelet and every container of its pods; containerd and image builds go on."""
    node.kubelet.stop(grace=3)
    cgroups.end(node.cgroup)
    mounts.unmount_below(node.folder / "kubelet")
    for rest in ("kubelet", "pod-logs"):
        shutil.rmtree(node.folder / rest, ignore_errors=True)
    _remove_log_links(node)


def take_away(node: Node) -> None:
    """End all of the node; its images stay, for the next time."""
    end_pods(node)
    containerd.end(node)
    node.kubeconfig.unlink(missing_ok=True)


def kill(node: Node) -> None:
    """SIGKILL to kubelet, containerd and every container, at once and with no word to the API server."""
    for process in (node.kubelet, node.containerd):
        process.signal(signal.SIGKILL)
    containerd.end(node)


def _remove_log_links(node: Node) -> None:
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(node.folder):
            link.unlink()


def _write_configuration(node: Node) -> None:
    (node.folder / "kubelet.yaml").write_text(
        f"""apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {node.address}
healthzBindAddress: {node.address}
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: "{control_plane.authority().certificate("ca")}"}}
authorization: {{mode: Webhook}}
containerRuntimeEndpoint: "unix://{node.socket}"
cgroupDriver: cgroupfs
cgroupRoot: "/{node.cgroup}"
enforceNodeAllocatable: []
failCgroupV1: false       # machines with hybrid control groups are welcome
failSwapOn: false
featureGates: {{KubeletInUserNamespace: true}}   # does without CAP_SYS_RESOURCE
clusterDNS: [{FIRST.address}]
clusterDomain: cluster.local
resolvConf: ""
podLogsDir: "{node.folder}/pod-logs"
volumePluginDir: "{node.folder}/kubelet/plugins"
maxPods: 110
serializeImagePulls: false
imageGCHighThresholdPercent: 100   # images are the user's, never to be collected
imageMinimumGCAge: 24h
evictionHard: {{nodefs.available: 1Gi, memory.available: 100Mi}}
localStorageCapacityIsolation: true
# A lost node and a changed volume are noticed soon, for the tests' sake.
nodeStatusUpdateFrequency: 4s
nodeLeaseDurationSeconds: 12
syncFrequency: 10s
"""
    )
