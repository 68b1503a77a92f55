"""Kubernetes' own Job controller, alone, so that tests need not guess what it makes of a Job."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_cluster.programs import built

from control_plane.operator_process import free_port


@contextmanager
def job_controller(kubeconfig: Path, folder: Path) -> Iterator[None]:
    """Run it against an API server; its log is folder/job-controller.log."""
    command = [
        # It ends with the program that started it, however that ends.
        *["setpriv", "--pdeathsig", "KILL"],
        built("kubernetes") / "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        "--controllers=job-controller",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
    ]
    with (folder / "job-controller.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as one:
        try:
            yield
        finally:
            one.kill()
