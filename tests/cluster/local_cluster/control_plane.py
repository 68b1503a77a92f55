"""etcd, API server, controller-manager, scheduler, kube-proxy and CoreDNS, as processes of this machine."""

import http.client
import ssl
import time
from pathlib import Path

from local_cluster.certificates import Authority
from local_cluster.network import API_SERVICE_ADDRESS, SERVICE_RANGE
from local_cluster.node import FIRST, POD_RANGE
from local_cluster.paths import state, write
from local_cluster.processes import Process, stop_all
from local_cluster.programs import built

API_PORT = 6443
_ETCD_PORT, _PEER_PORT = 23790, 23800  # not etcd's own, which something else here may have
_PATIENCE = 30.0
# Go's collector took a quarter of the API server's time, on cores that it shares with all that it serves. A production
# API server has a large heap and so collects rarely by itself.
API_SERVER_ENVIRONMENT = {"GOGC": "400"}
_NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns")
_USERS = {
    "admin": "/O=system:masters/CN=admin",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
}


def authority() -> Authority:
    """The cluster's certificate authority; it outlives the cluster."""
    return Authority(state() / "pki")


def server() -> str:
    """The API server's address."""
    return f"https://{FIRST.address}:{API_PORT}"


def kubeconfig(user: str = "admin") -> Path:
    """The kubeconfig's file of a user."""
    return state() / ("kubeconfig" if user == "admin" else f"{user}.kubeconfig")


def processes() -> list[Process]:
    """All of them, in the order they start in."""
    return [Process(name, state()) for name in _NAMES]


def api_answers(address: str, port: int, keys: Authority) -> bool:
    """Whether the API server there says that it is ready."""
    context = ssl.create_default_context(cafile=str(keys.certificate("ca")))
    connection = http.client.HTTPSConnection(address, port, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def keeps_objects() -> bool:
    """Whether etcd and the API server run and answer, so that there is a cluster to go on with.

    They are given half a minute: a busy machine is no reason to begin another cluster.
    """
    limit = time.monotonic() + _PATIENCE
    while all(process.pid() is not None for process in processes()[:2]):
        if api_answers(FIRST.address, API_PORT, authority()):
            return True
        if time.monotonic() > limit:
            return False
        time.sleep(0.3)
    return False


def answers() -> bool:
    """Whether all of it runs and the API server is ready."""
    return all(process.pid() is not None for process in processes()) and keeps_objects()


def sign_server(keys: Authority) -> None:
    """Make what an API server needs: the authority, its own certificate, the administrator's."""
    keys.prepare()
    names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    addresses = ("127.0.0.1", FIRST.address, API_SERVICE_ADDRESS)
    keys.sign("kube-apiserver", "/CN=kube-apiserver", *(f"DNS:{n}" for n in names), *(f"IP:{a}" for a in addresses))
    keys.sign("admin", _USERS["admin"])


def api_server_flags(keys: Authority, etcd: str, address: str, port: int) -> list[str]:
    """The flags every API server here has."""
    return [
        f"--etcd-servers={etcd}",
        f"--bind-address={address}",
        f"--secure-port={port}",
        f"--tls-cert-file={keys.certificate('kube-apiserver')}",
        f"--tls-private-key-file={keys.key('kube-apiserver')}",
        f"--client-ca-file={keys.certificate('ca')}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys.key('service-accounts')}",
        f"--service-account-signing-key-file={keys.key('service-accounts')}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--profiling=false",
    ]


def etcd_flags(data: Path, client: int, peer: int) -> list[str]:
    """The flags of an etcd on loopback whose data need not outlive the machine."""
    return [
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--log-level=warn",
    ]


def start_api_server() -> None:
    """Start etcd and the API server; returns once it is ready."""
    keys = authority()
    sign_server(keys)
    for user, subject in _USERS.items():
        keys.sign(user, subject)
        keys.write_kubeconfig(kubeconfig(user), user, server())
    etcd, api, *_ = processes()
    etcd.start([built("etcd") / "etcd", *etcd_flags(state() / "etcd", _ETCD_PORT, _PEER_PORT)])
    api.start(
        [
            built("kubernetes") / "kube-apiserver",
            *api_server_flags(keys, f"http://127.0.0.1:{_ETCD_PORT}", FIRST.address, API_PORT),
            f"--advertise-address={FIRST.address}",
            f"--kubelet-client-certificate={keys.certificate('admin')}",
            f"--kubelet-client-key={keys.key('admin')}",
            "--kubelet-preferred-address-types=InternalIP",
            # A lost node is noticed in 20 s (below) and its pods are evicted soon after: tests wait for both.
            "--default-not-ready-toleration-seconds=15",
            "--default-unreachable-toleration-seconds=15",
        ],
        API_SERVER_ENVIRONMENT,
    )
    api.wait_until(lambda: api_answers(FIRST.address, API_PORT, keys), seconds=60)


def start_controllers() -> None:
    """Start what works against the API server: controllers, scheduler, service proxy, name server."""
    keys, programs = authority(), built("kubernetes")
    _, _, controllers, scheduler, proxy, coredns = processes()
    controllers.start(
        [
            programs / "kube-controller-manager",
            *_as_user("kube-controller-manager"),
            f"--service-account-private-key-file={keys.key('service-accounts')}",
            f"--root-ca-file={keys.certificate('ca')}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--node-monitor-period=2s",
            "--node-monitor-grace-period=20s",
            "--concurrent-job-syncs=10",
        ]
    )
    scheduler.start(
        [
            programs / "kube-scheduler",
            *_as_user("kube-scheduler"),
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ]
    )
    _write_proxy_configuration()
    proxy.start([programs / "kube-proxy", "--config", state() / "kube-proxy.yaml"])
    _write_corefile()
    coredns.start([built("coredns") / "coredns", "-conf", state() / "Corefile"])


def stop() -> None:
    """End all of it, the API server's clients first."""
    etcd, api, *clients = processes()
    stop_all(clients)
    stop_all([api], grace=3)
    stop_all([etcd])


def _as_user(name: str) -> list[str]:
    flags = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [f"--{flag}={kubeconfig(name)}" for flag in flags]


def _write_proxy_configuration() -> None:
    # One for all nodes: they share this machine's network.
    write(
        state() / "kube-proxy.yaml",
        f"""apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {{kubeconfig: "{kubeconfig("kube-proxy")}"}}
hostnameOverride: {FIRST.name}
clusterCIDR: {POD_RANGE}
conntrack: {{maxPerCore: 0, min: 0}}
metricsBindAddress: 127.0.0.1:10249
healthzBindAddress: {FIRST.address}:10256
nftables: {{minSyncPeriod: 100ms}}
""",
    )


def _write_corefile() -> None:
    # Names of the world outside do not exist, and pods are told so at once: what the tests run must need none.
    write(
        state() / "Corefile",
        f"""cluster.local:53 in-addr.arpa:53 {{
  bind {FIRST.address}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig()}
    pods insecure
    ttl 1
  }}
  cache 1
}}
.:53 {{
  bind {FIRST.address}
  errors
  template ANY ANY . {{
    rcode NXDOMAIN
  }}
}}
""",
    )
