"""A text to measure with, of what packages have put on this machine: parquet files with the columns of FineWeb.

Deterministic given the machine and kept outside the checkout. Repeated text flatters tokenizers that remember words, so
a document is left out where half of its longer lines stood in one before it: other versions of a package, licences.
"""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from bench import plain_text
from engine.environment import cache

ROW_GROUP: Final = 1_000  # documents
FILE: Final = 10_000  # documents
PER_FILE: Final = 4  # documents that one file of a package gives at most
LINE: Final = 30  # characters from which on a line counts as repeated
HERE: Final = Path(__file__).parent
HOME: Final = Path.home()
FOUND: Final = "FOUND.json"


@dataclass(frozen=True)
class Kind:
    """One kind of text: files below `roots` that end in one of `endings`, and its share of the whole's bytes."""

    name: str
    roots: tuple[Path, ...]
    endings: tuple[str, ...]
    convert: Callable[[bytes], str]
    share: float


def kinds() -> tuple[Kind, ...]:
    """What is looked for; a kind that is not there, or runs out, leaves its share to the others."""
    share = Path("/usr/share")
    python = (cache() / "engines", Path("/usr/lib/python3"))
    go = (HOME / "go/pkg/mod", Path("/usr/local/go/src"), Path("/usr/lib/go"))
    texts = (".txt", ".md", ".rst", ".txt.gz", "NEWS.gz", "README", "README.gz")
    return (
        Kind("manual pages", (share / "man",), (".gz",), plain_text.of_manual, 0.3),
        Kind("translations", (share / "locale",), (".mo",), plain_text.of_translations, 0.15),
        Kind("web pages of manuals", (share / "doc",), (".html",), plain_text.of_web_page, 0.1),
        Kind("texts of packages", (share / "doc", *python, *go), texts, plain_text.as_it_is, 0.1),
        Kind("Python", python, (".py",), plain_text.as_it_is, 0.15),
        Kind("Go", go, (".go",), plain_text.as_it_is, 0.1),
        Kind("C", (Path("/usr/include"),), (".h",), plain_text.as_it_is, 0.1),
    )


@dataclass
class Found:
    """What a corpus is made of."""

    text_bytes: int
    documents: int
    by_kind: dict[str, int]  # bytes of text
    repeated: float  # share of the longer lines that stood there before
    sha256: str  # of all texts in order, each with a zero byte behind it

    def in_words(self) -> str:
        """A sentence or two for a reader of the figures."""
        parts = ", ".join(f"{name} {size / self.text_bytes:.0%}" for name, size in self.by_kind.items() if size)
        return (
            f"{self.text_bytes / 1e6:.1f} MB in {self.documents:,} documents, no two the same, of packages of this "
            f"machine: {parts}; {self.repeated:.0%} of the longer lines stood there before "
            f"(sha256 {self.sha256[:12]}…)."
        )


def corpus(megabytes: int, wanted: Sequence[Kind] | None = None, folder: Path | None = None) -> tuple[Path, Found]:
    """The folder of parquet files with so much text (10⁶ bytes of UTF-8), made where it is missing, and what it is."""
    recipe = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in ("corpus.py", "plain_text.py")))
    folder = folder or cache() / "bench" / f"text-{megabytes}-{recipe.hexdigest()[:12]}"
    if not (folder / FOUND).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        found = _write(folder, wanted or kinds(), megabytes * 1_000_000)
        (folder / FOUND).write_text(json.dumps(asdict(found), indent=1) + "\n")
    return folder, Found(**json.loads((folder / FOUND).read_text()))


def _write(folder: Path, wanted: Sequence[Kind], size: int) -> Found:
    digest, unique = hashlib.sha256(), _Unique()
    found = Found(0, 0, {}, 0.0, "")
    rows: list[dict[str, Any]] = []
    for kind, path, text in _mixed(wanted, unique):
        content = text.encode()
        digest.update(content + b"\0")
        name = f"<urn:document:{found.documents}>"
        rows.append({"text": text, "id": name, "url": path.as_uri(), "language_score": 1.0})
        found.text_bytes += len(content)
        found.by_kind[kind] = found.by_kind.get(kind, 0) + len(content)
        found.documents += 1
        if len(rows) == FILE:
            _write_file(folder, rows)
        if found.text_bytes >= size:
            break
    _write_file(folder, rows)
    found.repeated, found.sha256 = unique.repeated, digest.hexdigest()
    return found


def _write_file(folder: Path, rows: list[dict[str, Any]]) -> None:
    if rows:
        path = folder / f"{len(list(folder.glob('*.parquet'))):03d}.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=ROW_GROUP, compression="zstd")
        rows.clear()


def _mixed(wanted: Sequence[Kind], unique: "_Unique") -> Iterator[tuple[str, Path, str]]:
    """Documents as (kind, file, text): always of the kind that is furthest behind its share."""
    running = {one.name: filter(unique.is_new, _texts(one)) for one in wanted}
    shares = {one.name: one.share for one in wanted}
    taken = dict.fromkeys(running, 0)
    while running:
        name = min(running, key=lambda one: taken[one] / shares[one])
        following = next(running[name], None)
        if following is None:
            del running[name]
            continue
        taken[name] += len(following[1].encode())
        yield name, *following


def _texts(kind: Kind) -> Iterator[tuple[Path, str]]:
    paths = itertools.chain.from_iterable(_files(root, kind.endings) for root in kind.roots)
    for path in sorted(paths, key=lambda one: hashlib.sha256(str(one).encode()).digest()):
        for text in itertools.islice(plain_text.documents(path, kind.convert), PER_FILE):
            yield path, text


def _files(root: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.name.endswith(endings) and path.is_file() and not path.is_symlink():
            yield path


class _Unique:
    """Knows what was there before."""

    def __init__(self) -> None:
        self._texts: set[bytes] = set()
        self._lines: set[int] = set()
        self._long = self._again = 0  # lines of what was new

    @property
    def repeated(self) -> float:
        """The share of longer lines that stood there before, in the documents that were new."""
        return self._again / max(self._long, 1)

    def is_new(self, document: tuple[Path, str]) -> bool:
        """Whether a document is none of those before it, nor made of their lines for the most part."""
        text = document[1]
        content = hashlib.sha256(text.encode()).digest()
        # Python's hashes differ from run to run, but hardly ever does one of 64 bits stand for two lines.
        lines = [hash(one) for line in text.splitlines() if len(one := line.strip()) >= LINE]
        again = sum(one in self._lines for one in lines)
        if content in self._texts or 2 * again > len(lines):
            return False
        self._texts.add(content)
        self._lines.update(lines)
        self._long += len(lines)
        self._again += again
        return True
