"""What commands write into the documents: each table between two marks, `<!-- name -->` and `<!-- /name -->`."""

from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[1] / "docs"
OPERATIONS: Final = DOCS / "operations.md"
PERFORMANCE: Final = DOCS / "performance.md"


def write(name: str, table: str, file: Path = OPERATIONS) -> None:
    """Put a table in the place of the one that is there."""
    before, _, after = _parts(name, file)
    file.write_text(f"{before}{table}{after}")


def rows(name: str) -> dict[str, dict[str, str]]:
    """A table's rows by their first cells: the other cells by the head of their column up to a comma."""
    head, _, *body = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in _parts(name, OPERATIONS)[1].strip().splitlines()
    ]
    names = [one.partition(",")[0] for one in head]
    return {cells[0]: dict(zip(names, cells, strict=True)) for cells in body}


def _parts(name: str, file: Path) -> tuple[str, str, str]:
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = file.read_text().split(start)
    table, after = rest.split(end)
    return before + start, table, end + after


def engine_source() -> str:
    """The engine of docs/engine-contract.md, as it stands there."""
    before, _, _ = (DOCS / "engine-contract.md").read_text().partition("```\n<!-- /engine -->")
    return before.partition("<!-- engine -->\n```python\n")[2]
