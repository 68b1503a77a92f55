"""Plain text out of files of packages, such as manual pages and translations, in documents of a page's length."""

import gzip
import html
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

DOCUMENT: Final = 8_000  # characters at most; longer files become several documents, cut at the ends of lines
SHORTEST: Final = 200  # characters; a shorter one is no document
Convert = Callable[[bytes], str]  # a file's content, unpacked, to its text
_MO_MAGIC: Final = 0x950412DE
_REQUEST: Final = re.compile(r"^[.'](?:\\\".*|\w+ ?)", re.MULTILINE)  # roff's requests and comments
_ESCAPE: Final = re.compile(r"\\(?:f\[\w*\]|f\w|s[+-]?\d|[&|^,/%])")
_TAG: Final = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_BLANK: Final = re.compile(r"\n\s*\n\s*")


def documents(path: Path, convert: Convert) -> Iterator[str]:
    """The documents of a file; none where it is no UTF-8, unreadable or too short."""
    try:
        text = convert(_content(path)).strip()
    except (OSError, EOFError, ValueError, struct.error):  # UnicodeDecodeError and BadGzipFile are of these
        return
    if "\0" in text:
        return
    for part in _parts(text):
        if len(part) >= SHORTEST:
            yield part


def as_it_is(content: bytes) -> str:
    """A source or a text."""
    return content.decode()


def of_manual(content: bytes) -> str:
    """A manual page without roff's requests and escapes, near to what `man` shows."""
    text = _ESCAPE.sub("", _REQUEST.sub("", content.decode()))
    return _BLANK.sub("\n\n", text.replace(r"\-", "-").replace(r"\e", "\\").replace(r"\(aq", "'").replace(r"\(bu", "•"))


def of_web_page(content: bytes) -> str:
    """A web page's text without its tags."""
    return _BLANK.sub("\n\n", html.unescape(_TAG.sub("", content.decode())))


def of_translations(content: bytes) -> str:
    """The translated messages of a compiled catalogue (.mo of GNU gettext), a line each or more."""
    magic, _, count, _, table = struct.unpack_from("<5I", content)
    if magic != _MO_MAGIC:
        raise ValueError("This is no catalogue of this machine's byte order.")
    places = struct.iter_unpack("<2I", content[table : table + 8 * count])
    messages = [content[start : start + length] for length, start in places]
    return b"\n".join(one.replace(b"\0", b"\n") for one in messages[1:]).decode()  # the first is the header


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _parts(text: str) -> Iterator[str]:
    while len(text) > DOCUMENT:
        cut = text.rfind("\n", 0, DOCUMENT) + 1 or DOCUMENT
        yield text[:cut]
        text = text[cut:]
    yield text
