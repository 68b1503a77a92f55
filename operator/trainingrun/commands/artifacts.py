"""`trainingrun artifacts CLAIM`: what lies on a claim, which runs refer to it, and taking away what none does.

With the rights of the user's kubeconfig: to read TrainingRuns, and to create and delete a pod and read its log.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trainingrun.commands.artifact_table import size, table
from trainingrun.commands.manifest import OK, CommandError
from trainingrun.commands.options import MODELS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output, Yes
from trainingrun.commands.printing import document

if TYPE_CHECKING:
    from trainingrun.commands.artifact_users import Users
    from trainingrun.commands.volume_pod import Kubectl

OLDER_THAN: Final = 900  # seconds: a stage writes far more often
LEFT_SECONDS: Final = 3600  # after which what was taken away can't be another command's work in progress
MOST: Final = 2000  # folders removed by one command: their names are a pod's arguments


Name = Annotated[str, typer.Argument(metavar="CLAIM", help="The PersistentVolumeClaim.")]
Unused = Annotated[bool, typer.Option("--unused", help="Only what no run refers to.")]
Remove = Annotated[bool, typer.Option("--remove-unused", help="Say what would be removed; with --yes, remove it.")]
Releases = Annotated[bool, typer.Option("--releases", help="Remove unused finished models too.")]
OlderThan = Annotated[
    int, typer.Option("--older-than", metavar="SECONDS", help="Remove nothing that changed since then.")
]
Image = Annotated[
    str | None, typer.Option("--image", help="The operator's tokenize image, where its Deployment may not be read.")
]
Timeout = Annotated[int, typer.Option("--timeout", metavar="SECONDS", help="Of each pod.")]


@dataclass(frozen=True)
class Options:
    """What the command was asked."""

    claim: str
    unused: bool = False
    remove_unused: bool = False
    releases: bool = False
    older_than: int = OLDER_THAN
    yes: bool = False


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("artifacts", rich_help_panel=MODELS_PANEL)(artifacts)


def artifacts(
    claim: Name,
    namespace: Namespace = None,
    unused: Unused = False,
    remove_unused: Remove = False,
    releases: Releases = False,
    yes: Yes = False,
    older_than: OlderThan = OLDER_THAN,
    image: Image = None,
    timeout: Timeout = 600,
    output: As = Output.TEXT,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """List what lies on a claim and which runs use it, and remove what none does."""
    from trainingrun.commands.volume_pod import Kubectl

    options = Options(claim, unused, remove_unused, releases, older_than, yes)
    report = carry_out(options, Kubectl(namespace, context, kubeconfig), image, timeout)
    if output is Output.TEXT:
        print(text(report, options))
    else:
        document(report, output)
    return OK


def carry_out(options: Options, kubectl: Kubectl, image: str | None = None, timeout: int = 600) -> dict[str, Any]:
    """List, and where it is asked for remove; CommandError where the cluster or the pod on the claim refuses."""
    from trainingrun.commands.volume_pod import check_claim, installed

    claim = Claim(options.claim, timeout, kubectl)
    check_claim(claim.kubectl, options.claim)
    claim.settings = installed(claim.kubectl, image)
    found = claim.visit("list")
    report = _report(options, found, claim.users())
    if options.remove_unused and options.yes:
        old = {one["batch"] for one in found["removed"] if one["removedSeconds"] > LEFT_SECONDS}
        report |= _remove(claim, options, report["removable"][:MOST], sorted(old))
    return report


class Claim:
    """A claim in the cluster: who uses it, and commands on it."""

    def __init__(self, name: str, seconds: int, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.settings: Any = None
        self._name, self._seconds = name, seconds

    def users(self) -> Users:
        """The runs on it as they are now."""
        from trainingrun.api import names
        from trainingrun.commands.artifact_users import users

        return users(self.kubectl.get(f"{names.PLURAL}.{names.GROUP}")["items"], self._name)

    def visit(self, *arguments: str) -> dict[str, Any]:
        """What `python -m trainingrun_workers artifacts …` prints in a pod with the claim."""
        from trainingrun.commands.volume_pod import printed, volume_pod

        return printed(self.kubectl, volume_pod(self._name, self.settings, arguments, self._seconds), self._seconds)


def _report(options: Options, found: Mapping[str, Any], users: Users) -> dict[str, Any]:
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


def _remove(claim: Claim, options: Options, paths: Sequence[str], old: Sequence[str]) -> dict[str, Any]:
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


def text(report: Mapping[str, Any], options: Options) -> str:
    """The table, and what there is to say of it."""
    lines = [*table(report["artifacts"]), "", *_sentences(report, options)]
    return "\n".join(lines)


def _sentences(report: Mapping[str, Any], options: Options) -> list[str]:
    whole = size(sum(one["bytes"] for one in report["artifacts"]))
    said = [f"{_count(len(report['artifacts']), 'folder')}, {whole}."]
    if report["notUnderstood"]:
        said.append(
            f"Nothing is removed while {', '.join(report['notUnderstood'])} can't be understood, because a run that "
            "isn't may refer to everything: mend or delete it."
        )
    if report["leftOver"]:
        left = size(sum(one["bytes"] for one in report["leftOver"]))
        said.append(f"{left} in .removed were taken away before and not deleted: --remove-unused --yes does it.")
    if report["ignored"]:
        said.append(
            f"{_count(report['ignored'], 'name')} below artifacts or .removed are no artifacts and are left alone."
        )
    return said + (of_removal(report, options) if options.remove_unused else [])


def of_removal(report: Mapping[str, Any], options: Options) -> list[str]:
    """What would be removed, or was."""
    if not options.yes:
        sizes = {one["path"]: one["bytes"] for one in report["artifacts"]}
        go = report["removable"][:MOST]
        whole = size(sum(sizes[path] for path in go))
        would = [*(f"Would be removed: {path}" for path in go), f"--yes removes {_count(len(go), 'folder')}, {whole}."]
        return [*_staying(report, options), *(would if go else [])]
    return [
        *(f"Removed: {path}" for path in report["removed"]),
        *(f"Put back, since a run refers to it by now: {path}" for path in report["restored"]),
        *(f"Left as it is: {one['path']}: {one['why']}" for one in report["skipped"]),
        f"{_count(len(report['removed']), 'folder')} removed.",
    ]


def _staying(report: Mapping[str, Any], options: Options) -> list[str]:
    """Why folders that no run refers to stay all the same."""
    stay = [one for one in report["artifacts"] if one["path"] not in report["removable"]]
    young = sum(one["ageSeconds"] < options.older_than for one in stay)
    models = sum(one["kind"] == "release" and one["complete"] for one in stay) if not options.releases else 0
    said = []
    if young:
        said.append(
            f"{_count(young, 'folder')} of it changed within {options.older_than} s and stay: see --older-than."
        )
    if models:
        said.append(f"{_count(models, 'finished model')} of it stay: --releases takes them too.")
    return said


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
