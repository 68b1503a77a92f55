"""`python -m trainingrun_workers artifacts …`: what commands of `trainingrun` run in a pod on a claim.

Prints one JSON document, with a line for each folder, or the bytes of a file; a sentence on standard error and an exit
code of `contract.ExitCode` where it can't.
"""

import argparse
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers import contract
from trainingrun_workers.artifacts import listing, reading, removal
from trainingrun_workers.errors import StageError
from trainingrun_workers.volume import Volume

OLDER_THAN: Final = 900.0  # seconds without a change before a folder counts as left


def main(arguments: Sequence[str]) -> int:
    """Run a subcommand on the pod's volume and yield the process' exit code."""
    options = _parser().parse_args(arguments)
    os.umask(0o002)
    volume = Volume(Path(os.environ.get(contract.VOLUME_VARIABLE, contract.DEFAULT_VOLUME)))
    try:
        volume.check()
        document = options.act(volume.root, options)
        if document is not None:
            print(_text(document), flush=True)
    except StageError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainingrun_workers artifacts", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("list", help="every folder with its size and age")
    one.set_defaults(act=lambda root, _: listing.listing(root))
    one = commands.add_parser("remove", help="take folders away, to .removed on the same volume")
    one.add_argument("folders", nargs="+", metavar="FOLDER", help="artifacts/<kind>/<hash>")
    one.add_argument("--batch", default=None, help="name to find them under again (default: one is made up)")
    one.add_argument("--older-than", type=float, default=OLDER_THAN, metavar="SECONDS", help="default: %(default)s")
    one.set_defaults(act=_remove)
    one = commands.add_parser("restore", help="put folders back")
    one.add_argument("batch")
    one.add_argument("folders", nargs="+", metavar="FOLDER")
    one.set_defaults(act=lambda root, options: removal.restore(root, options.batch, options.folders))
    one = commands.add_parser("purge", help="delete what was taken away")
    one.add_argument("batches", nargs="+", metavar="BATCH")
    one.set_defaults(act=lambda root, options: removal.purge(root, options.batches))
    _add_reading(commands)
    return parser


def _add_reading(commands: Any) -> None:
    one = commands.add_parser("wait", help="do nothing, so that the others can be run in this pod")
    one.add_argument("seconds", type=float)
    one.set_defaults(act=lambda _, options: _wait(options.seconds))
    one = commands.add_parser("send", help="write a file to standard output")
    one.add_argument("path")
    one.add_argument("--offset", type=int, default=0, metavar="BYTE", help="where to begin (default: %(default)s)")
    one.set_defaults(act=lambda root, options: reading.send(root, options.path, options.offset))
    one = commands.add_parser("lines", help="the lines of several logs in the order of their times")
    one.add_argument("paths", nargs="+", metavar="PATH")
    one.add_argument("--since", default="", metavar="TIME", help="leave out what is older")
    one.set_defaults(act=lambda root, options: reading.lines(root, options.paths, options.since))
    one = commands.add_parser("files", help="the files of a folder")
    one.add_argument("path")
    one.set_defaults(act=lambda root, options: reading.files(root, options.path))
    one = commands.add_parser("logs", help="the logs of a run's pods")
    one.add_argument("path", help="the run's folder: runs/<namespace>/<name>")
    one.set_defaults(act=lambda root, options: reading.logs(root, options.path))
    one = commands.add_parser("curves", help="the curves in the folders of stages that train")
    one.add_argument("folders", nargs="+", metavar="FOLDER")
    one.add_argument("--points", type=int, default=reading.POINTS, help="of a line at most (default: %(default)s)")
    one.set_defaults(act=lambda root, options: reading.curves(root, options.folders, options.points))
    one = commands.add_parser("scores", help="the scores in the folders of evaluate stages")
    one.add_argument("folders", nargs="+", metavar="FOLDER")
    one.set_defaults(act=lambda root, options: reading.scores(root, options.folders))


def _wait(seconds: float) -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    ended.wait(seconds)


def _remove(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    batch = options.batch or secrets.token_hex(6)
    return removal.remove(root, batch, options.folders, options.older_than)


def _text(document: dict[str, Any]) -> str:
    """JSON with a line for each element of a list: lines of a log shouldn't be long."""
    parts = []
    for key, value in document.items():
        text = json.dumps(value)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(json.dumps(one) for one in value) + "\n]"
        parts.append(f"{json.dumps(key)}: {text}")
    return "{" + ",\n".join(parts) + "}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
