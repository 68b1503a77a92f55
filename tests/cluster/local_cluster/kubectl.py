"""kubectl as the administrator of a cluster."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_cluster.errors import ClusterError
from local_cluster.programs import built
from local_cluster.shell import output

Manifest = dict[str, Any]


def kubectl(kubeconfig: Path, *arguments: str | Path, stdin: str = "") -> str:
    """What kubectl printed; raises ClusterError with its complaint where it fails."""
    command = [built("kubernetes") / "kubectl", *arguments]
    return output(command, stdin=stdin, environment={**os.environ, "KUBECONFIG": str(kubeconfig)})


def apply(kubeconfig: Path, manifests: Sequence[Manifest] | str) -> None:
    """Apply objects, or a text of them, on the server's side."""
    text = (
        manifests
        if isinstance(manifests, str)
        else json.dumps({"apiVersion": "v1", "kind": "List", "items": [*manifests]})
    )
    kubectl(kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def wait_until_succeeds(kubeconfig: Path, *arguments: str, stdin: str = "", seconds: float, what: str) -> None:
    """Run a kubectl command again and again until it succeeds; raises ClusterError with its last complaint."""
    limit = time.monotonic() + seconds
    while True:
        try:
            kubectl(kubeconfig, *arguments, stdin=stdin)
        except ClusterError as error:
            if time.monotonic() > limit:
                raise ClusterError(f"{what} was not ready after {seconds:.0f} s: {error}") from error
            time.sleep(0.3)
        else:
            return
