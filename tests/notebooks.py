"""Notebooks of examples/, run as a user would: in a kernel of their own, in their own folder."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builders import REPOSITORY

PROGRAM = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
without = set(sys.argv[3].split(",")) - {""}
notebook.cells = [one for one in notebook.cells if not without & set(one.metadata.get("tags", ()))]
NotebookClient(notebook, timeout=float(sys.argv[4]), resources={"metadata": {"path": sys.argv[5]}}).execute()
nbformat.write(notebook, sys.argv[2])
"""


def executed(
    name: str,
    kubeconfig: Path,
    out: Path,
    without: str = "",
    seconds: float = 120.0,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """What each code cell printed and showed, by its first line; cells with a tag of `without` are left out.

    Fails with the cell's traceback where one fails. In a process of its own: the kernel inherits its environment.
    """
    import nbformat

    examples = REPOSITORY / "examples"
    paths = f"{REPOSITORY / 'operator'}:{REPOSITORY / 'workers'}"
    variables = {**environment, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": paths, "IPYTHONDIR": str(out.parent)}
    command = [sys.executable, "-c", PROGRAM, str(examples / name), str(out), without, str(seconds), str(examples)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    cells = nbformat.read(out, as_version=4).cells
    return {cell.source.split("\n")[0]: _shown(cell.outputs) for cell in cells if cell.cell_type == "code"}


def _shown(outputs: list[Any]) -> str:
    texts = [one.get("text") or one.get("data", {}).get("text/plain", "") for one in outputs]
    return "".join(texts)
