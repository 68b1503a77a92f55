"""kubectl as the administrator of a cluster."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_cluster.errors import ClusterError
from local_cluster.programs import built, folder_of
from local_cluster.shell import output

Manifest = dict[str, Any]


def kubectl(kubeconfig: Path, *arguments: str | Path, stdin: str = "") -> str:
    """What kubectl printed; raises ClusterError with its complaint where it fails."""
    return output([_program(), *arguments], stdin=stdin, environment={**os.environ, "KUBECONFIG": str(kubeconfig)})


def _program() -> Path:
    # Who has a cluster has a kubectl: it is not worth building Kubernetes for.
    installed = shutil.which("kubectl")
    if installed and not folder_of("kubernetes").exists():
        return Path(installed)
    return built("kubernetes") / "kubectl"


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
