"""What `trainingrun init` prints: the presets with their figures, or what it has written and what to do next."""

from __future__ import annotations

import shlex
import textwrap
from typing import Any, Final

from trainingrun.commands.init.draft import Draft, Wanted, in_words
from trainingrun.commands.init.draft import draft as drafted
from trainingrun.commands.init.figures import Figures, Speed, short, size
from trainingrun.commands.init.notices import TITLES
from trainingrun.commands.init.presets import PRESETS
from trainingrun.commands.options import Output
from trainingrun.commands.printing import console, document

HEADER: Final = ("preset", "parameters", "tokens", "tokenizer", "disk", "GPUs", "GPU-days", "days")
SHOWN: Final = ("contradiction", "changed", "not carried over", "warning", "assumed")


def presets(speed: Speed, nodes: int | None, gpus: int | None, output: Output) -> None:
    """Print every preset with its figures, on so many nodes and GPUs where they are given."""
    found = {name: drafted(Wanted(speed, preset=one, nodes=nodes, gpus=gpus)).figures for name, one in PRESETS.items()}
    if output is not Output.TEXT:
        document({"presets": [{"name": name, **one.document()} for name, one in found.items()]}, output)
        return
    rows = [HEADER, *(_row(name, one) for name, one in found.items())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"\nDays and GPU-days: {speed.words}. Other numbers: --nodes, --gpus-per-node, --gpu, --utilization.")
    print("Next: trainingrun init --preset 0.4b, or --from-nanotron, --from-axolotl and --from-sbatch with your files.")


def _row(name: str, one: Figures) -> tuple[str, ...]:
    return (
        name, short(one.parameters), short(one.tokens), PRESETS[name].vocabulary.repository, size(one.disk),
        str(one.gpus), f"{one.gpu_days:,.0f}", f"{one.days:,.3g}",
    )  # fmt: skip


def draft(made: Draft, file: str, output: Output) -> None:
    """Print what was written, with all there is to say of it but what has no effect; or the manifest itself."""
    following = next_command(file)
    if output is not Output.TEXT:
        document(_document(made, file, following), output)
        return
    if file == "-":
        print(made.text, end="")
    _summary(made, file, following)


def _summary(made: Draft, file: str, following: str) -> None:
    to = console(stderr=file == "-")
    said = [f"{'Run' if file == '-' else file + ':'} {made.manifest['metadata']['name']}"]
    said += [f"  {line}" for line in in_words(made.figures)]
    for kind, title in TITLES.items():
        of_kind = list(dict.fromkeys(one.message for one in made.notices if one.kind == kind))
        if of_kind and kind in SHOWN:
            said += [f"{title}:", *(f"  - {message}" for message in of_kind)]
        elif of_kind:
            said.append(f"{title}: {len(of_kind)} keys and lines, which are named in the manifest.")
    for line in [*said, f"Next: {following}"]:
        indent = " " * (len(line) - len(line.lstrip(" -")))
        for part in textwrap.wrap(
            line, to.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ):
            to.print(part, markup=False, soft_wrap=True)


def next_command(file: str) -> str:
    """What to do with the manifest."""
    return "trainingrun doctor -f run.yaml" if file == "-" else f"trainingrun doctor -f {shlex.quote(file)}"


def _document(made: Draft, file: str, following: str) -> dict[str, Any]:
    return {
        "file": None if file == "-" else file,
        "manifest": made.manifest,
        "figures": made.figures.document(),
        "notices": [{"kind": one.kind, "path": one.path, "message": one.message} for one in made.notices],
        "next": following,
    }
