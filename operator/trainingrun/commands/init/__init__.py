"""`trainingrun init`: a manifest out of a preset, or out of the configurations and batch scripts that people have."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from trainingrun.commands.manifest import FAULTY, OK, CommandError
from trainingrun.commands.options import MANIFEST_PANEL, As, Output

FILE: Final = "run.yaml"
Preset = Annotated[
    str | None,
    typer.Option("--preset", metavar="SIZE", help="A model to begin with: 0.1b, 0.4b, 1b or 3b; all of them without."),
]
Nanotron = Annotated[
    str | None, typer.Option("--from-nanotron", metavar="FILE", help="A nanotron configuration: the base model.")
]
Axolotl = Annotated[
    list[str] | None,
    typer.Option("--from-axolotl", metavar="FILE", help="An Axolotl configuration: a variant; may be given again."),
]
Sbatch = Annotated[
    list[str] | None,
    typer.Option(
        "--from-sbatch",
        metavar="FILE",
        help="A Slurm script that starts one of them, and finds it; may be given again.",
    ),
]
File = Annotated[str, typer.Option("--file", "-f", metavar="FILE", help="Where it is written; - prints it.")]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Name = Annotated[str | None, typer.Option("--name", help="The run's name (default: what the files call it).")]
Claim = Annotated[
    str | None,
    typer.Option("--claim", metavar="NAME", help="A PersistentVolumeClaim that is there (default: one is made)."),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        "--tokens", metavar="N", help="Tokens to train on, such as 350B; a configuration is compared with it."
    ),
]
Nodes = Annotated[int | None, typer.Option("--nodes", min=1, max=4096, help="Nodes that pretrain.")]
Gpus = Annotated[int | None, typer.Option("--gpus-per-node", min=1, max=64, help="GPUs of each.")]
Engine = Annotated[
    str | None,
    typer.Option("--engine", metavar="ENGINE", help="What trains: nanotron (default), torch, or custom, your own."),
]
Tokenizer = Annotated[
    str | None,
    typer.Option("--tokenizer", metavar="FOLDER", help="The tokenizer's files, here, to count its ids."),
]
Gpu = Annotated[
    str, typer.Option("--gpu", help="Whose speed GPU-days are reckoned with: a100, h100, h200, b200 or l40s.")
]
Utilization = Annotated[
    float, typer.Option("--utilization", min=0.01, max=1.0, help="Share of its peak that training is taken to reach.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", rich_help_panel=MANIFEST_PANEL)(init)


def init(
    preset: Preset = None,
    from_nanotron: Nanotron = None,
    from_axolotl: Axolotl = None,
    from_sbatch: Sbatch = None,
    file: File = FILE,
    force: Force = False,
    name: Name = None,
    claim: Claim = None,
    tokens: Tokens = None,
    nodes: Nodes = None,
    gpus_per_node: Gpus = None,
    engine: Engine = None,
    tokenizer: Tokenizer = None,
    gpu: Gpu = "a100",
    utilization: Utilization = 0.35,
    output: As = Output.TEXT,
) -> int:
    """Write a manifest: from a preset, or from the nanotron, Axolotl and Slurm files that you have."""
    from trainingrun.commands.init import reading, telling
    from trainingrun.commands.init.draft import draft
    from trainingrun.commands.init.settled import UnsettledError

    speed = reading.speed(gpu, utilization)
    given = reading.Given(
        preset, from_nanotron, tuple(from_axolotl or ()), tuple(from_sbatch or ()), name, claim,
        reading.number("--tokens", tokens), nodes, gpus_per_node, tokenizer, engine,
    )  # fmt: skip
    if given.is_empty:
        telling.presets(speed, nodes, gpus_per_node, output)
        return OK
    wanted = reading.wanted(given, speed)
    reading.free(file, force)
    try:
        made = draft(wanted)
    except UnsettledError as error:
        raise CommandError(f"{error}\nNothing was written.", FAULTY) from error
    reading.write(file, made.text)
    telling.draft(made, file, output)
    return OK
