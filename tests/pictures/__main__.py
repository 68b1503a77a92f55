"""The README's moving pictures, of a real run on a real cluster: run by `make pictures` after `make demo`.

Trains the quickstart once more, in a namespace of its own, follows it in a terminal and on the dashboard's page at
the same time, and writes docs/images/terminal.webp and dashboard.webp. What takes minutes is shown in seconds; the
terminal's title tells the time that went by.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from playwright.sync_api import Error as BrowserError

from browser import BrowserMissingError, launched
from e2e import demo
from e2e.installation import CACHE, CommandError, environment, kubectl, operator_is_ready, say
from e2e.trial import REPOSITORY
from pictures import moving
from pictures.drawing import drawn
from pictures.moving import Shown
from pictures.page import Watcher
from pictures.terminal import CommandTimeoutError, Frame, Shell

NAMESPACE = "trainingrun-demo"
IMAGES = REPOSITORY / "docs" / "images"
COLUMNS, LINES = 96, 36
MINUTES = 30


class MissingError(RuntimeError):
    """Something that the pictures are made of is not there."""


FAULTS = (
    MissingError, BrowserMissingError, BrowserError, CommandError, CommandTimeoutError, moving.TooMuchError,
)  # fmt: skip


def main() -> int:
    """The exit code: 0 where both pictures were written."""
    try:
        image = data_image()
        say(f"Making a fresh volume in namespace {NAMESPACE} …")
        demo.fresh_volume(image, NAMESPACE)
        with user() as (kubeconfig, told):
            terminal, page = recorded(kubeconfig, told)
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        say("Drawing …")
        print(moving.write(IMAGES / "terminal.webp", terminal, lossless=True))
        print(moving.write(IMAGES / "dashboard.webp", page, quality=80))
    except FAULTS as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def data_image() -> str:
    """The image with the quickstart's data; MissingError where there is no cluster with the operator and the images."""
    with launched():
        pass
    try:
        ready = operator_is_ready()
    except (CommandError, subprocess.CalledProcessError) as error:
        raise MissingError(f"There is no cluster: run `make demo` first. {error}") from error
    if not ready:
        raise MissingError("No operator is at work in this cluster: run `make demo` first.")
    built = CACHE / "images.json"
    if not built.is_file():
        raise MissingError(f"{built} does not name the image of the quickstart's data: run `make demo` first.")
    return str(json.loads(built.read_text())["quickstart-data"])


@contextmanager
def user() -> Iterator[tuple[Path, dict[str, str]]]:
    """A kubeconfig whose namespace is that of the pictures, and the environment of who uses it."""
    document = yaml.safe_load(Path(environment()["KUBECONFIG"]).read_text())
    for one in document["contexts"]:
        one["context"]["namespace"] = NAMESPACE
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kubeconfig"
        file.write_text(yaml.safe_dump(document))
        programs = f"{Path(sys.executable).parent}{os.pathsep}{environment()['PATH']}"
        sources = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "workers"))
        yield file, environment() | {"KUBECONFIG": str(file), "PATH": programs, "PYTHONPATH": sources}


def recorded(kubeconfig: Path, told: dict[str, str]) -> tuple[list[Shown], list[Shown]]:
    """The run from `kubectl apply` to its curves, in the terminal and on the page."""
    shell = Shell(COLUMNS, LINES, told, str(REPOSITORY))
    shell.rest(0.8)
    shell.run("kubectl apply -f examples/quickstart/run.yaml", 60)
    shell.rest(1.2)
    applied = len(shell.frames)
    with Watcher(kubeconfig, NAMESPACE, demo.NAME) as watcher:
        say("Following the run …")
        shell.clear()
        shell.run(f"trainingrun status {demo.NAME} --watch", MINUTES * 60.0)
    watched = len(shell.frames)
    shell.clear()
    shell.run(f"trainingrun plot {demo.NAME} --only loss", 180)
    shell.rest(0.5)
    shell.close()
    return in_terminal(shell.frames, applied, watched), on_page(watcher)


def in_terminal(frames: list[Frame], applied: int, watched: int) -> list[Shown]:
    """The commands as they were typed, what came between in seconds."""
    parts = [
        *moving.lapse(_timed(frames[:applied]), 3.2, 40), *moving.lapse(_timed(frames[applied:watched]), 9.5, 60),
        (frames[watched - 1], 1.5), *moving.lapse(_timed(frames[watched:]), 2.0, 24), (frames[-1], 3.5),
    ]  # fmt: skip
    used = 1 + max(len(frame.text.splitlines()) for frame in frames)
    return [Shown(drawn(frame, _title(frame.at), used), seconds) for frame, seconds in parts]


def on_page(watcher: Watcher) -> list[Shown]:
    """The run as it trained, in seconds, then the page down to the scores."""
    training = moving.lapse(watcher.taken, 11.0, 40)
    scrolled = [Shown(one, 0.06) for one in watcher.scrolled]
    return [*(Shown(*one) for one in training), Shown(watcher.taken[-1][1], 1.5), *scrolled[:-1],
            Shown(watcher.scrolled[-1], 3.0)]  # fmt: skip


def _timed(frames: list[Frame]) -> list[tuple[float, Frame]]:
    return [(one.at, one) for one in frames]


def _title(seconds: float) -> str:
    return f"trainingrun quickstart, two CPU cores   {int(seconds) // 60}:{int(seconds) % 60:02}"


if __name__ == "__main__":
    sys.exit(main())
