"""`trainingrun artifacts CLAIM`: what lies on a claim, which runs refer to it, and taking away what none does.

With the rights of the user's kubeconfig: to read TrainingRuns, and to create and delete a pod and read its log.
"""

from __future__ import annotations

import json
import secrets
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from trainingrun.commands.manifest import OK, CommandError

if TYPE_CHECKING:
    from trainingrun.commands.artifact_users import Users
    from trainingrun.commands.volume_pod import Kubectl

HEADER: Final = ("KIND", "FOLDER", "SIZE", "AGE", "COMPLETE", "USED BY")
OLDER_THAN: Final = 900  # seconds: a stage writes far more often
LEFT_SECONDS: Final = 3600  # after which what was taken away can't be another command's work in progress
MOST: Final = 2000  # folders removed by one command: their names are a pod's arguments
AGES: Final = ((172_800, 86_400, "d"), (7200, 3600, "h"), (120, 60, "m"), (0, 1, "s"))

Artifact = Mapping[str, Any]


def register(commands: Any) -> None:
    """Add the command to an argparse parser's commands."""
    what = "list what lies on a claim and which runs use it"
    parser = commands.add_parser("artifacts", help=what, description=what[0].upper() + what[1:] + ".")
    parser.add_argument("claim", metavar="CLAIM", help="the PersistentVolumeClaim")
    parser.add_argument("-n", "--namespace", help="where it is (default: the current context's)")
    parser.add_argument("--unused", action="store_true", help="only what no run refers to")
    parser.add_argument("--remove-unused", action="store_true", help="say what would be removed; with --yes, remove it")
    parser.add_argument("--releases", action="store_true", help="remove unused finished models too")
    parser.add_argument("--yes", action="store_true", help="really remove")
    parser.add_argument(
        "--older-than", type=int, default=OLDER_THAN, metavar="SECONDS",
        help="remove nothing that changed since then (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--image", help="the operator's tokenize image, where its Deployment may not be read")
    parser.add_argument(
        "--timeout", type=int, default=600, metavar="SECONDS", help="of each pod (default: %(default)s)"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how (default: %(default)s)")
    parser.set_defaults(command=run)


def run(options: Namespace) -> int:
    """Carry the command out; CommandError where the cluster or the pod on the claim refuses."""
    from trainingrun.commands.volume_pod import Kubectl, installed

    claim = Claim(options, Kubectl(options.namespace))
    claim.kubectl("get", "persistentvolumeclaim", options.claim, "-o", "name")
    claim.settings = installed(claim.kubectl, options.image)
    found = claim.visit("list")
    report = _report(options, found, claim.users())
    if options.remove_unused and options.yes:
        old = {one["batch"] for one in found["removed"] if one["removedSeconds"] > LEFT_SECONDS}
        report |= _remove(claim, options, report["removable"][:MOST], sorted(old))
    print(json.dumps(report, indent=2) if options.output == "json" else _text(report, options))
    return OK


class Claim:
    """A claim in the cluster: who uses it, and commands on it."""

    def __init__(self, options: Namespace, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.settings: Any = None
        self._name, self._seconds = options.claim, options.timeout

    def users(self) -> Users:
        """The runs on it as they are now."""
        from trainingrun.api import names
        from trainingrun.commands.artifact_users import users

        return users(self.kubectl.get(f"{names.PLURAL}.{names.GROUP}")["items"], self._name)

    def visit(self, *arguments: str) -> dict[str, Any]:
        """What `python -m trainingrun_workers artifacts …` prints in a pod with the claim."""
        from trainingrun.commands.volume_pod import printed, volume_pod

        return printed(self.kubectl, volume_pod(self._name, self.settings, arguments, self._seconds), self._seconds)


def _report(options: Namespace, found: Mapping[str, Any], users: Users) -> dict[str, Any]:
    from trainingrun.commands.artifact_users import unused

    used = [{**one, "usedBy": list(users.of(one["path"]))} for one in found["artifacts"]]
    shown = [one for one in used if not one["usedBy"]] if options.unused or options.remove_unused else used
    removable = unused(found["artifacts"], users, options.older_than, options.releases)
    return {
        "claim": options.claim,
        "artifacts": shown,
        "leftOver": found["removed"],
        "ignored": found["ignored"],
        "notUnderstood": list(users.opaque),
        "removable": [one["path"] for one in removable],
    }


def _remove(claim: Claim, options: Namespace, paths: Sequence[str], old: Sequence[str]) -> dict[str, Any]:
    """Take folders away, look at the runs again, put back what one refers to by now, and delete the rest."""
    batch = secrets.token_hex(6)
    done: dict[str, Any] = {"removed": [], "skipped": [], "restored": [], "batch": batch}
    purged = list(old)
    if paths:
        try:
            away = claim.visit("remove", "--batch", batch, "--older-than", str(options.older_than), "--", *paths)
            users = claim.users()
        except (CommandError, KeyboardInterrupt):
            _put_back(claim, batch, paths)
            raise
        wanted = [path for path in away["done"] if users.of(path)]
        back = _put_back(claim, batch, wanted)
        done["removed"] = [path for path in away["done"] if path not in wanted]
        done["restored"], done["skipped"] = back["done"], away["skipped"] + back["skipped"]
        # What could not be put back stays for an hour, until a later command takes it for left over.
        purged += [] if back["skipped"] else [batch]
    if purged:
        done["skipped"] += claim.visit("purge", *purged)["skipped"]
    return done


def _put_back(claim: Claim, batch: str, paths: Sequence[str]) -> dict[str, Any]:
    """What was put back and what was not; CommandError that says where the folders are when the pod fails."""
    try:
        return claim.visit("restore", batch, *paths) if paths else {"done": [], "skipped": []}
    except CommandError as error:
        raise CommandError(
            f"{error}\nWhat was taken away could not be put back and lies in .removed/{batch} on the claim, for at "
            "least an hour: a run that wants it makes it again, and docs/artifacts.md says how to put it back by hand."
        ) from error


def _text(report: Mapping[str, Any], options: Namespace) -> str:
    lines = [*table(report["artifacts"]), "", *_sentences(report, options)]
    return "\n".join(lines)


def table(artifacts: Iterable[Artifact]) -> list[str]:
    """A line for each artifact, the largest of a kind first, under a header."""
    ordered = sorted(artifacts, key=lambda one: (one["kind"], -one["bytes"], one["path"]))
    rows = [HEADER, *(_cells(one) for one in ordered)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(one: Artifact) -> tuple[str, ...]:
    complete = "yes" if one["complete"] else "no"
    return (
        one["kind"],
        one["path"],
        _size(one["bytes"]),
        _age(one["ageSeconds"]),
        complete,
        ", ".join(one["usedBy"]) or "-",
    )


def _size(number: float) -> str:
    from trainingrun_workers.tokenization.room import in_words

    return in_words(number)


def _age(seconds: float) -> str:
    return next(f"{seconds // length:.0f}{unit}" for least, length, unit in AGES if seconds >= least)


def _sentences(report: Mapping[str, Any], options: Namespace) -> list[str]:
    whole = _size(sum(one["bytes"] for one in report["artifacts"]))
    said = [f"{_count(len(report['artifacts']), 'folder')}, {whole}."]
    if report["notUnderstood"]:
        said.append(
            f"Nothing is removed while {', '.join(report['notUnderstood'])} can't be understood, because a run that "
            "isn't may refer to everything: mend or delete it."
        )
    if report["leftOver"]:
        left = _size(sum(one["bytes"] for one in report["leftOver"]))
        said.append(f"{left} in .removed were taken away before and not deleted: --remove-unused --yes does it.")
    if report["ignored"]:
        said.append(
            f"{_count(report['ignored'], 'name')} below artifacts or .removed are no artifacts and are left alone."
        )
    return said + (_of_removal(report, options) if options.remove_unused else [])


def _of_removal(report: Mapping[str, Any], options: Namespace) -> list[str]:
    if not options.yes:
        sizes = {one["path"]: one["bytes"] for one in report["artifacts"]}
        go = report["removable"][:MOST]
        size = _size(sum(sizes[path] for path in go))
        return [*(f"Would be removed: {path}" for path in go), f"--yes removes {_count(len(go), 'folder')}, {size}."]
    return [
        *(f"Removed: {path}" for path in report["removed"]),
        *(f"Put back, since a run refers to it by now: {path}" for path in report["restored"]),
        *(f"Left as it is: {one['path']}: {one['why']}" for one in report["skipped"]),
        f"{_count(len(report['removed']), 'folder')} removed.",
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
