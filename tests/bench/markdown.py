"""Tables as docs/performance.md has them."""

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, the first row its head."""
    head, *body = (f"| {' | '.join(row)} |\n" for row in rows)
    return head + f"| {' | '.join('---' for _ in rows[0])} |\n" + "".join(body)
