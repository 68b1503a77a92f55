"""What a pod says of itself while it works, and what it is answered: snapshots to the operator and to the volume."""

import contextlib
import dataclasses
import logging
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final, Self

from trainingrun_workers.contract import TOKEN_FILE, Answer, Snapshot, StageInput
from trainingrun_workers.volume import Volume, write_atomic
from trainingrun_workers.volume_watch import VolumeWatch

POST_TIMEOUT: Final = 5.0
MAX_ANSWER_BYTES: Final = 64 * 1024
LOGGER: Final = logging.getLogger(__name__)


class Reporter:
    """Sends the newest snapshot every `report_seconds` from a thread of its own, changed or not, until closed.

    Each goes to `report_url` with the projected token and to `<run_folder>/snapshots/<stage>-a<attempt>-<index>.json`,
    which no other attempt writes. The operator's answer, where it has one, is kept where the next attempt finds it too,
    in `<run_folder>/answers/<stage>.json`. What fails here is logged once and never reaches the stage.
    """

    def __init__(
        self, stage_input: StageInput, volume: Volume, index: int, token_file: Path = Path(TOKEN_FILE),
        watch: VolumeWatch | None = None,
    ) -> None:  # fmt: skip
        """`watch` ends the pod where the volume takes too long for a snapshot, which shows that it answers nothing."""
        run = stage_input.run
        self._snapshot = Snapshot(
            namespace=run.namespace, run=run.name, uid=run.uid, stage=stage_input.stage, attempt=stage_input.attempt,
            index=index, time=time.time(),
        )  # fmt: skip
        self._volume = volume
        self._url = stage_input.report_url
        self._seconds = stage_input.report_seconds
        self._file = volume.path(stage_input.run_folder) / "snapshots" / (
            f"{stage_input.stage}-a{stage_input.attempt}-{index}.json"
        )  # fmt: skip
        self._answer_file = answer_file(stage_input, volume)
        self._answer = read_answer(self._answer_file)
        self._token_file = token_file
        # The operator is inside the cluster: a proxy that is set for downloads must not be asked for it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._waiting = watch.waiting if watch is not None else contextlib.nullcontext
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._failing: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)
        self._thread.start()

    def update(self, **fields: Any) -> None:
        """Replace fields of the snapshot, by the names in `contract.Snapshot`; costs no input or output."""
        with self._lock:
            self._snapshot = dataclasses.replace(self._snapshot, **fields)

    @property
    def snapshot(self) -> Snapshot:
        """What would be sent now."""
        with self._lock:
            return self._snapshot

    def close(self) -> None:
        """Send the last snapshot and stop; a second call does nothing."""
        if not self._closing.is_set():
            self._closing.set()
            self._thread.join(timeout=4 * POST_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            last = self._closing.wait(0)
            with self._waiting():
                self._send()
            if last:
                return
            self._closing.wait(self._seconds)

    def _send(self) -> None:
        free, size = self._volume.room() or (None, None)
        self.update(time=time.time(), volume_free=free, volume_size=size)
        text = self.snapshot.to_json()
        self._attempt("volume", self._write, text)
        if self._url:
            self._attempt("operator", self._post, text)

    def _attempt(self, receiver: str, send: Any, text: str) -> None:
        try:
            send(text)
        except (OSError, ValueError, urllib.error.URLError) as error:
            if receiver not in self._failing:
                LOGGER.warning("Reports to the %s fail, the work goes on: %s", receiver, error)
            self._failing.add(receiver)
        else:
            if receiver in self._failing:
                LOGGER.info("Reports to the %s arrive again", receiver)
            self._failing.discard(receiver)

    def _write(self, text: str) -> None:
        write_atomic(self._file, text)

    def _take(self, text: str) -> None:
        answer = Answer.from_text(text)
        if answer and answer != self._answer:
            write_atomic(self._answer_file, answer.to_json())
            self._answer = answer

    def _post(self, text: str) -> None:
        headers = {"Content-Type": "application/json"}
        if self._token_file.is_file():  # the kubelet replaces it before it expires
            headers["Authorization"] = f"Bearer {self._token_file.read_text().strip()}"
        request = urllib.request.Request(str(self._url), data=text.encode(), headers=headers, method="POST")
        with self._opener.open(request, timeout=POST_TIMEOUT) as response:
            self._take(response.read(MAX_ANSWER_BYTES).decode())


def answer_file(stage_input: StageInput, volume: Volume) -> Path:
    """Where the operator's newest answer to a stage's reports lies."""
    return volume.path(stage_input.run_folder) / "answers" / f"{stage_input.stage}.json"


def read_answer(path: Path) -> Answer | None:
    """The answer in a file; None where there is none."""
    try:
        return Answer.from_text(path.read_text())
    except (OSError, ValueError):
        return None
