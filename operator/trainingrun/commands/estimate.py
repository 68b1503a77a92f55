"""`trainingrun estimate`: what the tokens of a run will be and cost, before anything runs.

The sources are sampled with the code of the tokenize stage itself, which needs what `trainingrun[estimate]` installs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trainingrun.commands.manifest import FAULTY, MISUSED, OK, CommandError, read_run
from trainingrun.commands.options import MANIFEST_PANEL, As, File, Output
from trainingrun.commands.printing import document

if TYPE_CHECKING:
    from trainingrun.api.training_run import TrainingRun
    from trainingrun.commands.init.figures import Figures
    from trainingrun_workers.contract import TokenizeSpec
    from trainingrun_workers.tokenization.estimate import Estimate

HEADER: Final = ("source", "documents", "text", "tokens", "on disk", "CPU-hours", "time")
ALL: Final = "all"

Folder = Annotated[
    str | None, typer.Option("--volume", metavar="FOLDER", help="A folder with what lies on the run's claim.")
]
Pods = Annotated[
    int | None, typer.Option("--pods", metavar="N", help="Pods to tokenize with (default: the manifest's).")
]
Gpu = Annotated[
    str, typer.Option("--gpu", help="Whose speed GPU-days are reckoned with: a100, h100, h200, b200 or l40s.")
]
Free = Annotated[str | None, typer.Option("--free", metavar="BYTES", help="What is free on the claim, such as 500Gi.")]


@dataclass(frozen=True)
class Forecast:
    """The estimates of a run's sources by name, and what they are to fit into."""

    sources: Mapping[str, Estimate]
    whole: Estimate  # a folder that several sources share counts once
    pods: int
    claim_bytes: int | None
    free_bytes: int | None

    @property
    def room(self) -> int | None:
        """Bytes there are for the tokens, as far as anyone said."""
        known = [one for one in (self.claim_bytes, self.free_bytes) if one is not None]
        return min(known, default=None)

    @property
    def has_room(self) -> bool | None:
        """Whether the tokens fit; None where nobody said how much room there is."""
        return None if self.room is None else self.whole.size <= self.room


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("estimate", rich_help_panel=MANIFEST_PANEL)(estimate)


def estimate(
    file: File,
    volume: Folder = None,
    pods: Pods = None,
    free: Free = None,
    gpu: Gpu = "a100",
    output: As = Output.TEXT,
) -> int:
    """Sample the sources and print their tokens, bytes and hours, and what training takes; fails without room."""
    from trainingrun.commands.init.draft import in_words

    if pods is not None and pods < 1:
        raise CommandError(f"--pods {pods} is no number of pods: name one from 1 on.", MISUSED)
    manifest = read_run(file)
    forecast = _forecast(manifest, volume, pods, free)
    training = _training(manifest, gpu)
    if output is Output.TEXT:
        print("\n".join([_table(forecast), *(["", *in_words(training)] if training is not None else [])]))
    else:
        document(_document(forecast) | {"training": training.document() if training is not None else None}, output)
    return FAULTY if forecast.has_room is False else OK


def _training(manifest: TrainingRun, gpu: str) -> Figures | None:
    """What pretraining takes; None for an engine whose configuration is not ours to read."""
    from trainingrun.commands.init.figures import UTILIZATION, figures
    from trainingrun.commands.init.reading import speed
    from trainingrun.stages.context import Context
    from trainingrun.stages.settings import Settings

    reckoned = speed(gpu, UTILIZATION)
    return None if manifest.spec.pretrain.engine == "custom" else figures(Context(manifest, Settings()), reckoned)


def _forecast(manifest: TrainingRun, volume: str | None, pods: int | None, free: str | None) -> Forecast:
    from trainingrun.api.base import quantity

    spec = _spec(manifest)
    claim = manifest.spec.storage.claim
    claim_bytes = int(quantity(claim.size)) if claim is not None else None
    free_bytes = _bytes(free)
    sources, whole = _estimates(spec, _volume(spec, volume))
    pods = min(pods or spec.pods, spec.shards * len(spec.sources))  # there is no work for more
    return Forecast(sources, whole, pods, claim_bytes, free_bytes)


def _spec(manifest: TrainingRun) -> TokenizeSpec:
    from trainingrun.plan import validity
    from trainingrun.stages import tokenization
    from trainingrun.stages.context import Context
    from trainingrun.stages.settings import Settings
    from trainingrun_workers.contract import TokenizeSpec

    context = Context(manifest, Settings())
    errors = validity.errors(context)
    if errors:
        raise CommandError("\n".join(f"{note.path}: {note.message}" for note in errors))
    instance = next(one for one in context.instances if one.kind == "tokenize")
    spec = tokenization.need(context, instance, ()).spec
    assert isinstance(spec, TokenizeSpec)
    return spec


def _bytes(text: str | None) -> int | None:
    from trainingrun.api.base import quantity

    try:
        return None if text is None else int(quantity(text))
    except ValueError as error:
        raise CommandError(f"--free {error}", MISUSED) from error


def _volume(spec: TokenizeSpec, folder: str | None) -> Path:
    """The folder that stands for the claim; CommandError where there is none."""
    if folder is None:
        here = [f"source {one.name!r} ({one.path})" for one in spec.sources if "://" not in one.path]
        what = " and ".join([f"The tokenizer ({spec.tokenizer})", *here[:1]])
        raise CommandError(
            f"{what} {'lie' if here else 'lies'} on the run's claim, which isn't here: name a folder that holds the "
            "same with --volume FOLDER.",
            MISUSED,
        )
    if not Path(folder).is_dir():
        raise CommandError(f"--volume {folder} is no folder: name one that holds what the run's claim does.", MISUSED)
    return Path(folder)


def _estimates(spec: TokenizeSpec, folder: Path) -> tuple[dict[str, Estimate], Estimate]:
    try:  # the operator's own image lacks all of it
        from trainingrun_workers.errors import StageError
        from trainingrun_workers.tokenization.estimate import NOTHING, estimates
        from trainingrun_workers.volume import Volume
    except ModuleNotFoundError as error:
        raise CommandError(
            f"There is no {error.name} here, which the tokenize stage works with: pip install 'trainingrun[estimate]'.",
            MISUSED,
        ) from error
    try:
        found = estimates(spec, Volume(folder))
    except StageError as error:
        raise CommandError(error.message) from error
    return found, sum({one.folder: found[one.name] for one in spec.sources}.values(), NOTHING)


def _document(forecast: Forecast) -> dict[str, Any]:
    def figures(one: Estimate) -> dict[str, Any]:
        return {
            "documents": one.documents, "textBytes": one.text_bytes, "tokens": one.tokens, "bytes": one.size,
            "cpuHours": one.cpu_seconds / 3600, "seconds": one.seconds / forecast.pods,
            "sampledTextBytes": one.sampled_bytes,
        }  # fmt: skip

    return {
        "sources": [{"name": name, **figures(one)} for name, one in forecast.sources.items()],
        "all": figures(forecast.whole),
        "pods": forecast.pods,
        "claimBytes": forecast.claim_bytes,
        "freeBytes": forecast.free_bytes,
        "hasRoom": forecast.has_room,
    }


def _table(forecast: Forecast) -> str:
    rows = [(name, one) for name, one in forecast.sources.items()] + [(ALL, forecast.whole)]
    cells = [HEADER, *(_cells(name, one, forecast.pods) for name, one in rows)]
    widths = [max(len(one) for one in column) for column in zip(*cells, strict=True)]
    return "\n".join([*(_line(row, widths) for row in cells), "", *_sentences(forecast)])


def _cells(name: str, one: Estimate, pods: int) -> tuple[str, ...]:
    from trainingrun_workers.tokenization.room import in_words

    return (
        name, f"{one.documents:,}", in_words(one.text_bytes), f"{one.tokens:,}", in_words(one.size),
        _hours(one.cpu_seconds), _duration(one.seconds / pods),
    )  # fmt: skip


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2g}"


def _duration(seconds: float) -> str:
    for most, unit, length in ((90, "s", 1), (5400, "min", 60), (172_800, "h", 3600)):
        if seconds < most:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds / 86_400:,.1f} days"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([cells[0].ljust(widths[0]), *padded])


def _sentences(forecast: Forecast) -> list[str]:
    from trainingrun_workers.tokenization.room import in_words

    whole, pods = forecast.whole, forecast.pods
    cores = f"{pods} pods of one core each" if pods > 1 else "one pod of one core"
    sampled = (
        f"Estimated from {in_words(whole.sampled_bytes)} of text that was tokenized for it; CPU-hours are of a core "
        f"such as this machine's, the time is for {cores}."
    )
    if forecast.room is None:
        return [sampled, "The manifest doesn't say how large the claim is: name what is free on it with --free."]
    if forecast.has_room:
        return [sampled, f"There is room for the tokens: {in_words(forecast.room)}."]
    return [
        sampled,
        f"There is no room for the tokens: {in_words(forecast.room)} for {in_words(whole.size)}; use a larger claim, "
        "fewer documents (limit) or fewer sources.",
    ]
