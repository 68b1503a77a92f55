"""The Debian Administrator's Handbook as documents, section by section, alike in every language.

The HTML of the package `debian-handbook` is made from one DocBook source and its translations, so a page has the same
elements in the same order in each language: the n-th paragraph of a page is the translation of the n-th in English.
"""

import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

PACKAGE: Final = "debian-handbook"
LOCALES: Final = {"en": "en-US", "it": "it-IT", "es": "es-ES", "fr": "fr-FR", "pt": "pt-BR"}
FOLDER: Final = "usr/share/doc/debian-handbook/html"
NO_TEXT: Final = ("index.html", "ix01.html")  # tables of contents
SECTION_TAGS: Final = ("h1", "h2", "h3", "h4")  # what starts a new document
SHORTEST_DOCUMENT: Final = 300  # characters; a shorter one goes on into the next

_NUMBER = re.compile(r"^[\dA-Z]+(\.\d+)*\.\s+(?=\S)")


@dataclass
class Block:
    """One element that holds text: a heading, a paragraph or a listing."""

    kind: str  # a value of KINDS
    tag: str
    pieces: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Its text: one line with single spaces, or a listing with its lines kept."""
        raw = "".join(self.pieces)
        if self.kind == "listing":
            return "\n".join(line.rstrip() for line in raw.strip("\n").splitlines())
        line = " ".join(raw.split())
        return _NUMBER.sub("", line) if self.kind == "title" else line


@dataclass(frozen=True)
class Document:
    """A section of the book in one language; `key` is the same in all languages."""

    key: str  # page.html#n
    blocks: tuple[tuple[str, str], ...]  # kind and text, in the order and number of the English ones

    def text(self) -> str:
        """The whole section, its blocks parted by an empty line, blocks without text left out."""
        return "\n\n".join(text for _, text in self.blocks if text)


KINDS: Final = {
    ("div", "para"): "text",
    ("pre", "programlisting"): "listing",
    ("pre", "screen"): "listing",
    ("h1", "title"): "title",
    ("h2", "title"): "title",
    ("h3", "title"): "title",
    ("h4", "title"): "title",
    ("h5", "title"): "title",
    ("p", "title"): "title",
    ("span", "term"): "title",
}


class _Page(HTMLParser):
    """Collects the blocks of a page; text belongs to the innermost open block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._open: list[Block | None] = []  # one an open element; None where the element starts no block

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a block where the element is of one of KINDS."""
        if tag in ("br", "img", "hr", "link", "meta", "input", "col"):
            return
        styles = (dict(attrs).get("class") or "").split()
        kind = KINDS.get((tag, styles[0])) if styles else None
        block = Block(kind, tag) if kind else None
        if block:
            self.blocks.append(block)
        self._open.append(block)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content holds no text."""

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element: the pages are XHTML, so every element is closed."""
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Give the text to the innermost open block, if any."""
        block = next((one for one in reversed(self._open) if one), None)
        if block:
            block.pieces.append(data)


def download(folder: Path) -> Path:
    """Fetch the package with apt-get into `folder` and unpack it there; the folder with one folder a locale."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        subprocess.run(["apt-get", "-q", "download", PACKAGE], cwd=scratch, check=True)
        archive = next(Path(scratch).glob(f"{PACKAGE}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True)
        shown = subprocess.run(["dpkg-deb", "-f", str(archive), "Version"], check=True, capture_output=True, text=True)
    (folder / "version").write_text(shown.stdout.strip() + "\n")
    return folder


def version(folder: Path) -> str:
    """The version of the package that `download` unpacked into `folder`."""
    return (folder / "version").read_text().strip()


def blocks_of(html: str) -> list[tuple[str, str, str]]:
    """Tag, kind and text of every block of a page, also of those without text, so that languages stay aligned."""
    page = _Page()
    page.feed(html)
    page.close()
    return [(block.tag, block.kind, block.text()) for block in page.blocks]


def documents(folder: Path, language: str, english: list[Document] | None = None) -> list[Document]:
    """All sections of the book in a language, in the order of the pages' names.

    With the English ones given, sections are cut where those are, and a paragraph that was left in English by the
    translators is emptied: what remains is of the language.
    """
    pages = sorted((folder / FOLDER / LOCALES[language]).glob("*.html"))
    found: list[Document] = []
    for page in pages:
        if page.name not in NO_TEXT:
            found += _sections(page.name, blocks_of(page.read_text(encoding="utf-8")), english)
    return found if english is None else [_translated(one, other) for one, other in zip(found, english, strict=True)]


def _sections(name: str, blocks: list[tuple[str, str, str]], english: list[Document] | None) -> list[Document]:
    counts = None if english is None else [len(one.blocks) for one in english if one.key.startswith(f"{name}#")]
    cut = _cut_at_headings(blocks) if counts is None else _cut_like(name, blocks, counts)
    return [Document(f"{name}#{number}", tuple(part)) for number, part in enumerate(cut)]


def _cut_at_headings(blocks: list[tuple[str, str, str]]) -> list[list[tuple[str, str]]]:
    parts: list[list[tuple[str, str]]] = [[]]
    for tag, kind, text in blocks:
        long_enough = sum(len(one) for _, one in parts[-1]) >= SHORTEST_DOCUMENT
        if tag in SECTION_TAGS and long_enough:
            parts.append([])
        parts[-1].append((kind, text))
    return [part for part in parts if part]


def _cut_like(name: str, blocks: list[tuple[str, str, str]], counts: list[int]) -> list[list[tuple[str, str]]]:
    if sum(counts) != len(blocks):
        raise ValueError(
            f"The page {name} has {len(blocks)} blocks, but {sum(counts)} in English: its languages differ in "
            "structure, so leave it out in NO_TEXT or take another version of the package."
        )
    plain = iter([(kind, text) for _, kind, text in blocks])
    return [[next(plain) for _ in range(count)] for count in counts]


def _translated(one: Document, english: Document) -> Document:
    pairs = zip(one.blocks, english.blocks, strict=True)
    blocks = ((kind, text if _is_own(kind, text, other) else "") for (kind, text), (_, other) in pairs)
    return Document(one.key, tuple(blocks))


def _is_own(kind: str, text: str, english: str) -> bool:
    return kind != "text" or text != english or len(text) < 40  # short ones may be names, the same everywhere


def order(key: str) -> str:
    """A fixed number for a document, spread evenly: the hash that decides what is held out and which file it is in."""
    return hashlib.sha256(key.encode()).hexdigest()
