"""`trainingrun profile RUN`: a trace of some steps of a gang that trains, made while it trains, and brought here."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trainingrun.commands import options
from trainingrun.commands.acting import REFUSED, RunName, ask, stage_of
from trainingrun.commands.manifest import FAULTY, INTERRUPTED, MISUSED, NO_CLUSTER, OK, CommandError

if TYPE_CHECKING:
    from trainingrun.commands.access import Cluster
    from trainingrun.commands.volume_visit import Visit
    from trainingrun_workers.contract import Profile

STAGE: Final = "pretrain"
POLL_SECONDS: Final = 1.0
CHUNK: Final = 2**20


def register(app: typer.Typer) -> None:
    """Add the command to the command line's."""
    app.command("profile", rich_help_panel=options.RUNS_PANEL)(profile)


def profile(
    run: RunName,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=1, max=100, help="How many steps.")] = 5,
    rank: Annotated[int, typer.Option("--rank", metavar="N", min=0, help="Of which rank.")] = 0,
    all_ranks: Annotated[bool, typer.Option("--all-ranks", help="Of every rank, a trace each.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where the traces go (default: RUN-profile-TIME).")
    ] = None,
    timeout: Annotated[
        int, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long it is waited for.")
    ] = 1800,
    output: options.As = options.Output.TEXT,
    image: options.Image = None,
    namespace: options.Namespace = None,
    context: options.Kubecontext = None,
    kubeconfig: options.Kubeconfig = None,
) -> int:
    """Profile the next steps of a run that pretrains, and copy the trace here.

    Training goes on; the steps that are profiled take longer, and losses stay what they would have been.
    """
    from trainingrun.commands.access import connect
    from trainingrun.commands.printing import document
    from trainingrun.commands.volume_pod import Kubectl
    from trainingrun.commands.volume_visit import Visit, claim_of

    cluster = connect(kubeconfig, context, namespace)
    found = cluster.run(run)
    check(found)
    wish = asked(cluster, run, f"profile {steps} {'all' if all_ranks else rank}")
    target, folder = to or Path(f"{run}-profile-{wish.name}"), folder_of(found, wish)
    try:
        await_profile(cluster, run, wish, timeout)
        with Visit(Kubectl(cluster.namespace, context, kubeconfig), claim_of(found), image) as visit:
            traces = copy(visit, folder, target)
    except KeyboardInterrupt:
        print(f"The profile is made all the same, and lies on the volume in {folder}.", file=sys.stderr)
        return INTERRUPTED
    if output is not options.Output.TEXT:
        document({"run": run, "steps": steps, "traces": [str(one) for one in traces], "onVolume": folder}, output)
        return OK
    for one in traces:
        print(one)
    print(f"Perfetto (ui.perfetto.dev) and chrome://tracing open them. On the volume they lie in {folder}.")
    return OK


def check(run: dict[str, Any]) -> None:
    """CommandError where there is no gang to profile."""
    name, stage = run["metadata"]["name"], stage_of(run, STAGE)
    if stage["phase"] == "Succeeded":
        raise CommandError(f"Stage {STAGE} of {name} is complete: only a gang that trains can be profiled.")
    progress = stage.get("progress") or {}
    if stage["phase"] != "Running" or not progress.get("step"):
        said = str(stage.get("message") or stage["phase"]).rstrip(".")
        raise CommandError(f"Stage {STAGE} of {name} is not training now: {said}.")
    if progress.get("activity") == "profiling":
        raise CommandError(f"{name} is being profiled already: wait for that.")


def asked(cluster: Cluster, run: str, what: str) -> Profile:
    """Ask the operator for a profile; CommandError where it refuses."""
    from trainingrun.plan import profiles

    answer = ask(cluster, run, what)
    if answer.startswith(REFUSED):
        raise CommandError(answer, FAULTY)
    stage = stage_of(cluster.run(run), STAGE)
    wish = profiles.wanted(stage.get("profile"), stage["attempt"])
    if wish is None:
        raise CommandError(f"Stage {STAGE} of {run} has begun another attempt: ask again.")
    return wish


def folder_of(run: dict[str, Any], wish: Profile) -> str:
    """Where a profile's traces lie on the volume."""
    from trainingrun.api.training_run import TrainingRun
    from trainingrun.stages.layout import run_folder
    from trainingrun_workers.contract import PROFILE_FOLDER

    return f"{run_folder(TrainingRun.from_object(run))}/{PROFILE_FOLDER}/{wish.name}"


def await_profile(cluster: Cluster, run: str, wish: Profile, seconds: float) -> None:
    """Wait until the traces lie on the volume; CommandError where they can't come any more."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stage = stage_of(cluster.run(run), STAGE)
        progress = stage.get("progress") or {}
        if progress.get("profile") == wish.name:
            if progress.get("profileError"):
                raise CommandError(f"There is no profile: {progress['profileError']}")
            return
        if stage["phase"] != "Running" or stage["attempt"] != wish.attempt:
            said = stage.get("message") or stage["phase"]
            raise CommandError(f"Attempt {wish.attempt} of stage {STAGE} ended before it was profiled: {said}")
        time.sleep(POLL_SECONDS)
    raise CommandError(
        f"Attempt {wish.attempt} of stage {STAGE} has made no profile within {seconds:.0f} s: see whether it steps, "
        "and whether its image is of this command's version.",
        NO_CLUSTER,
    )


def copy(visit: Visit, folder: str, target: Path) -> list[Path]:
    """Copy the traces; each appears under its name when it is whole."""
    names = [one["name"] for one in visit.document("files", folder)["files"] if one["name"].startswith("rank-")]
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            part = target / f"{name}.part"
            with part.open("wb") as file, visit.reading("send", f"{folder}/{name}") as stream:
                while data := stream.read(CHUNK):
                    file.write(data)
            part.rename(target / name)
    except OSError as error:
        raise CommandError(
            f"{error.filename or target} can't be written: {error.strerror}. The traces stay on the volume in "
            f"{folder}.",
            MISUSED,
        ) from error
    return [target / name for name in names]
