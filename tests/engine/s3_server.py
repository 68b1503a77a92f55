"""A real S3 server on this machine: versitygw, whose buckets are the folders of a folder."""

import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from local_cluster.programs import built

KEY: Final = "tests"
SECRET: Final = "a secret of the tests"
SECONDS: Final = 30.0  # until it answers, on a machine that does much else


class S3Server:
    """Serves `folder`; its address stays the same when it is killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{_free_port()}"
        self._program = built("versitygw") / "versitygw"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to know."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self.address}", "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def start(self) -> None:
        """Start it; returns once it takes connections."""
        # What objects have beside their bytes is kept in a folder of its own: not every file system has attributes.
        beside = self.folder.parent / "beside-the-objects"
        beside.mkdir(exist_ok=True)
        command = [
            str(self._program), "--quiet", "--port", self.address, "--access", KEY, "--secret", SECRET,
            "posix", "--sidecar", str(beside), str(self.folder),
        ]  # fmt: skip
        with (self.folder.parent / "s3-server.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        limit = time.monotonic() + SECONDS
        host, _, port = self.address.partition(":")
        while time.monotonic() < limit:
            assert self._process.poll() is None, (self.folder.parent / "s3-server.log").read_text()
            with closing(socket.socket()) as client:
                if client.connect_ex((host, int(port))) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"The S3 server did not answer within {SECONDS:.0f} s.")

    def kill(self) -> None:
        """End it at once, as a machine that fails."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
