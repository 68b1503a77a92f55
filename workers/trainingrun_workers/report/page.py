"""report.html: one page that needs nothing else, on wide and narrow screens, light and dark."""

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainingrun_workers.evaluate.plot import FAINT, GRID, INK

# What a figure's colours become, so that they follow the page's.
COLOURS: Final = {INK: "var(--ink)", FAINT: "var(--faint)", GRID: "var(--faint)", "#000000": "var(--ink)"}
COLUMNS_BESIDE: Final = 7  # of a table, at most
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --faint: #e2e5e9; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --faint: #30363d; --paper: #0d1117; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .4rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; } p { margin: .4rem 0; }
.beside { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr));
  align-items: start; }
.wide { overflow-x: auto; min-width: 0; } .full { grid-column: 1 / -1; }
svg { display: block; width: 100%; height: auto; max-width: 40rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--faint); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; } small, .note { color: var(--soft); } .note { font-size: .85rem; }
"""
PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>{style}</style></head>
<body><h1>{title}</h1>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Section:
    """A part of the page: figures as SVG with tables beside them, and notes below."""

    title: str
    figures: tuple[bytes, ...] = ()
    tables: tuple[str, ...] = ()  # HTML
    notes: tuple[str, ...] = ()  # plain text
    level: int = 2


def page(title: str, sections: Iterable[Section]) -> str:
    """The whole page."""
    parts = [part for number, one in enumerate(sections) for part in _section(one, f"s{number}")]
    return PAGE.format(title=html.escape(title), style=STYLE, body="\n".join(parts))


def table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """A plain table of texts; the first column heads each row."""
    lines = ["<tr>" + "".join(f"<th>{html.escape(one)}</th>" for one in heads) + "</tr>"] if heads else []
    for first, *rest in rows:
        cells = "".join(f"<td>{html.escape(one)}</td>" for one in rest)
        lines.append(f"<tr><th>{html.escape(first)}</th>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def progression_table(content: Mapping[str, Any]) -> str:
    """The scores by training step."""
    series = content["series"]
    rows = (
        [str(one["step"]), *(f"{one['scores'][name]:.4f}" if name in one["scores"] else "" for name in series)]
        for one in content["steps"]
    )
    return table(["step", *(f"{one['task']} {one['metric']}" for one in series.values())], rows)


def inlined(svg: bytes, prefix: str) -> str:
    """An SVG as part of a page: no header, colours that follow the page's, and ids that no other figure has."""
    text = svg.decode()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'((?:\bid|xlink:href)="#?|url\(#)', rf"\g<1>{prefix}-", text)
    for colour, name in COLOURS.items():
        text = re.sub(rf"(fill|stroke): {colour}", rf"\1: {name}", text, flags=re.IGNORECASE)
    return re.sub(r"<text(?![^>]*fill)", '<text fill="var(--ink)"', text)


def _section(one: Section, prefix: str) -> Iterable[str]:
    yield f"<h{one.level}>{html.escape(one.title)}</h{one.level}>"
    figures = [f"<div>{inlined(svg, f'{prefix}f{number}')}</div>" for number, svg in enumerate(one.figures)]
    tables = [f'<div class="wide{_full(text)}">{text}</div>' for text in one.tables]
    if figures or tables:
        yield f'<div class="beside">{"".join(figures + tables)}</div>'
    yield from (f'<p class="note">{html.escape(text)}</p>' for text in one.notes)


def _full(table: str) -> str:
    """The class of a table that has too many columns to stand beside a figure."""
    return " full" if table.partition("</tr>")[0].count("<t") > COLUMNS_BESIDE else ""
