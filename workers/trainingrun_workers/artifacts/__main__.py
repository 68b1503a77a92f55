"""`python -m trainingrun_workers artifacts …`: what the command `trainingrun artifacts` runs in a pod.

Prints one JSON document, with a line for each folder; a sentence on standard error and exit code 65 where it can't.
"""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers import contract
from trainingrun_workers.artifacts import listing, removal
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
        print(_text(options.act(volume.root, options)), flush=True)
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
    return parser


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
