"""`trainingrun gc`: free a claim of what no run refers to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainingrun.commands import artifacts
from trainingrun.commands.acting import confirmed
from trainingrun.commands.artifact_table import size
from trainingrun.commands.artifacts import OLDER_THAN, Image, OlderThan, Options, Releases, Timeout
from trainingrun.commands.manifest import MISUSED, NOT_FOUND, OK, CommandError
from trainingrun.commands.options import RUNS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output, Yes
from trainingrun.commands.printing import document

if TYPE_CHECKING:
    from trainingrun.commands.access import Cluster

Claim = Annotated[
    str | None, typer.Argument(metavar="[CLAIM]", help="The PersistentVolumeClaim (default: the one of all runs).")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gc", rich_help_panel=RUNS_PANEL)(gc)


def gc(
    claim: Claim = None,
    releases: Releases = False,
    yes: Yes = False,
    namespace: Namespace = None,
    older_than: OlderThan = OLDER_THAN,
    image: Image = None,
    timeout: Timeout = 600,
    output: As = Output.TEXT,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Say how much of a claim no run refers to any more, ask, and free it; as artifacts --remove-unused."""
    from trainingrun.commands.access import connect
    from trainingrun.commands.volume_pod import Kubectl

    if claim is None:
        cluster = connect(kubeconfig, context, namespace)
        claim, namespace = only_claim(cluster), cluster.namespace
    options = Options(claim, remove_unused=True, releases=releases, older_than=older_than)
    kubectl = Kubectl(namespace, context, kubeconfig)
    report = artifacts.carry_out(options, kubectl, image, timeout)
    if output is Output.TEXT:
        print(artifacts.text(report, options))
    anything = bool(report["removable"] or report["leftOver"])
    if not anything or (not yes and not confirmed(_question(report, options))):
        return _said(report, output)
    options = replace(options, yes=True)
    report = artifacts.carry_out(options, kubectl, image, timeout)
    if output is Output.TEXT:
        print("\n".join(artifacts.of_removal(report, options)))
    return _said(report, output)


def _said(report: Mapping[str, Any], output: Output) -> int:
    if output is not Output.TEXT:
        document(dict(report), output)
    return OK


def _question(report: Mapping[str, Any], options: Options) -> str:
    sizes = {one["path"]: one["bytes"] for one in report["artifacts"]}
    freed = sum(sizes.get(path, 0) for path in report["removable"]) + sum(one["bytes"] for one in report["leftOver"])
    return f"Free {size(freed)} on {options.claim}?"


def only_claim(cluster: Cluster) -> str:
    """The claim that all runs of the namespace are on."""
    from trainingrun.commands.artifact_users import claim_of

    claims = sorted({claim_of(run) for run in cluster.runs()})
    if not claims:
        raise CommandError(f"There is no run in namespace {cluster.namespace}: name the claim.", NOT_FOUND)
    if len(claims) > 1:
        raise CommandError(f"The runs of namespace {cluster.namespace} are on {', '.join(claims)}: name one.", MISUSED)
    return claims[0]
