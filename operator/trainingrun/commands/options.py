"""Options and arguments that several commands have in common, as types for typer."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

MANIFEST_PANEL: Final = "A manifest, without a cluster"
RUNS_PANEL: Final = "Runs in a cluster"
MODELS_PANEL: Final = "What lies on a volume"
OTHER_PANEL: Final = "Besides"


class Output(StrEnum):
    """How something is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


# Of commands whose --output names a file as well: these words are no files.
DOCUMENTS: Final = (Output.JSON, Output.YAML)


class Document(StrEnum):
    """How something is printed that is never text."""

    YAML = "yaml"
    JSON = "json"


File = Annotated[str, typer.Argument(metavar="FILE", help="The manifest; - reads from standard input.")]
As = Annotated[Output, typer.Option("--output", "-o", help="How it is printed.")]
AsDocument = Annotated[Document, typer.Option("--output", "-o", help="How it is printed.")]
Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Where it is (default: the context's namespace).")
]
Kubecontext = Annotated[
    str | None, typer.Option("--context", help="A context of the kubeconfig (default: its current one).")
]
Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", help="The kubeconfig (default: as kubectl finds it).")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Image = Annotated[
    str | None, typer.Option("--image", help="The operator's tokenize image, where its Deployment may not be read.")
]
