"""A pod on a claim that stays while a command reads from it: documents, lines and the bytes of files.

With the user's own rights: to create, read and delete a pod, and to run a program in it (`create pods/exec`).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Final, Self

from trainingrun.commands.manifest import NO_CLUSTER, CommandError
from trainingrun.commands.volume_pod import Kubectl, check_claim, holds_up, installed, volume_pod

WORKERS: Final = ("python", "-m", "trainingrun_workers", "artifacts")
SECONDS: Final = 6 * 3600  # after which the pod goes also where nobody is left to delete it
START_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.3
NO_SUCH_WORD: Final = "invalid choice"  # argparse's, of an image that is older than this command


def claim_of(run: Mapping[str, Any]) -> str:
    """The name of a run's claim: the one that it names, or the one that is made for it."""
    return str((run["spec"].get("storage") or {}).get("claimName") or run["metadata"]["name"])


class Visit:
    """A waiting pod on a claim; it is made by the first reading and deleted at the end."""

    def __init__(self, kubectl: Kubectl, claim: str, image: str | None = None) -> None:
        self._kubectl, self._claim, self._image = kubectl, claim, image
        self._pod: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Delete the pod, if there is one; the next reading makes another."""
        if self._pod is not None:
            self._kubectl("delete", "pod", self._pod, "--wait=false", "--ignore-not-found")
            self._pod = None

    def document(self, *arguments: str) -> dict[str, Any]:
        """The JSON document that `python -m trainingrun_workers artifacts …` prints in the pod."""
        with self.reading(*arguments) as stream:
            text = stream.read().decode(errors="replace")
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise CommandError(f"The pod on claim {self._claim} printed no JSON: {error}.", NO_CLUSTER) from error

    def lines(self, *arguments: str) -> Iterator[str]:
        """The lines that it prints, as they come."""
        with self.reading(*arguments) as stream:
            for line in stream:
                yield line.decode(errors="replace").rstrip("\n")

    @contextmanager
    def reading(self, *arguments: str) -> Iterator[IO[bytes]]:
        """What it prints, as it comes; CommandError at the end where it failed or the connection was lost."""
        command = self._kubectl.command("exec", self._ready(), "--", *WORKERS, *arguments)
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
                assert process.stdout is not None
                try:
                    yield process.stdout
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                errors.seek(0)
                raise self._failure(errors.read().decode(errors="replace"))

    def _failure(self, said: str) -> CommandError:
        lines = [line for line in said.splitlines() if line.strip()]
        if NO_SUCH_WORD in said:
            return CommandError(
                "The workers' image that is installed is older than this command: upgrade the chart, or use the "
                "command of its version.",
                NO_CLUSTER,
            )
        why = lines[0].strip() if lines else "kubectl exec ended without a word"
        return CommandError(f"Reading from claim {self._claim} failed: {why.rstrip('.')}.", NO_CLUSTER)

    def _ready(self) -> str:
        """The name of the pod, once it runs."""
        if self._pod is None:
            check_claim(self._kubectl, self._claim)
            manifest = volume_pod(self._claim, installed(self._kubectl, self._image), ("wait", str(SECONDS)), SECONDS)
            manifest["spec"]["terminationGracePeriodSeconds"] = 1
            made = json.loads(self._kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(manifest)))
            self._pod = str(made["metadata"]["name"])
            self._await(self._pod)
        return self._pod

    def _await(self, name: str) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            pod = self._kubectl.get("pod", name)
            phase = (pod.get("status") or {}).get("phase")
            if phase == "Running":
                return
            if phase in ("Succeeded", "Failed"):
                raise self._failure(self._kubectl("logs", name))
            if time.monotonic() > until:
                raise CommandError(
                    f"The pod {name} on claim {self._claim} did not start within {START_SECONDS:.0f} s: "
                    f"{holds_up(pod)}.",
                    NO_CLUSTER,
                )
            time.sleep(POLL_SECONDS)
