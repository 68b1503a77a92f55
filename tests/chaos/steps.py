"""The steps that a gang does, as its master's log tells them."""

import re
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Final

from e2e import installation

_STEP: Final = re.compile(r" step (\d+)/\d+ ")


@dataclass(frozen=True)
class Step:
    """A step that was done, and when it was told, in seconds since the epoch."""

    number: int
    at: float


class Steps:
    """Follows the log of one pod to its end."""

    def __init__(self, namespace: str, pod: str) -> None:
        """Begin; the pod's container runs already."""
        self.first: Step | None = None
        self.last: Step | None = None
        command = ["kubectl", "logs", "--follow", "--namespace", namespace, pod]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=installation.environment()
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def reaches(self, step: int, seconds: float) -> bool:
        """Wait until this step is done; whether it was within so many seconds and before the log's end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.last is not None and self.last.number >= step:
                return True
            if not self._thread.is_alive():
                return False
            time.sleep(0.05)
        return False

    def close(self) -> None:
        """Stop following."""
        self._process.kill()
        self._thread.join()
        self._process.wait()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            found = _STEP.search(line)
            if found:
                self.last = Step(int(found[1]), time.time())
                self.first = self.first or self.last
