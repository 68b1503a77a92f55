"""What a shell offers for a word: asked of the cluster in the little time that whoever presses Tab has."""

from __future__ import annotations

import typer


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of runs that begin so; none where the cluster can't be asked."""
    from trainingrun.commands.access import connect
    from trainingrun.commands.manifest import CommandError

    given = ctx.params
    try:
        runs = connect(given.get("kubeconfig"), given.get("context"), given.get("namespace")).runs()
    except CommandError:
        return []
    return [name for one in runs if (name := one["metadata"]["name"]).startswith(incomplete)]
