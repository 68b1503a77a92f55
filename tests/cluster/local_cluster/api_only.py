"""An API server with its etcd and nothing else, on loopback, for tests that play the kubelet themselves."""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from local_cluster import control_plane
from local_cluster.packages import install
from local_cluster.paths import locked
from local_cluster.processes import Process, stop_all
from local_cluster.programs import built

_LEASH = ["setpriv", "--pdeathsig", "KILL"]  # both end with the program that started them, however that ends


@contextlib.contextmanager
def api_server(folder: Path) -> Iterator[Path]:
    """Run them with their data in `folder`, yielding an administrator's kubeconfig; gone afterwards, data too.

    Needs no root, and no cluster; several run side by side. Pods can be made without a service account, since no
    controller makes any.
    """
    install("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    keys = control_plane.authority()
    with locked("keys"):
        control_plane.sign_server(keys)
    client, peer, port = _free_ports(3)
    etcd, api = Process("etcd", folder), Process("kube-apiserver", folder)
    kubeconfig = folder / "kubeconfig"
    keys.write_kubeconfig(kubeconfig, "admin", f"https://127.0.0.1:{port}")
    try:
        etcd.start([*_LEASH, built("etcd") / "etcd", *control_plane.etcd_flags(folder / "etcd", client, peer)])
        api.start(
            [
                *_LEASH,
                built("kubernetes") / "kube-apiserver",
                *control_plane.api_server_flags(keys, f"http://127.0.0.1:{client}", "127.0.0.1", port),
                "--disable-admission-plugins=ServiceAccount",
                "--endpoint-reconciler-type=none",
            ],
            control_plane.API_SERVER_ENVIRONMENT,
        )
        api.wait_until(lambda: control_plane.api_answers("127.0.0.1", port, keys), seconds=60)
        yield kubeconfig
    finally:
        stop_all([api], grace=1)
        stop_all([etcd], grace=1)
        shutil.rmtree(folder / "etcd", ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
