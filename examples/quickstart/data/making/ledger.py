"""What the data are, where they come from, and that they are still what was made: SOURCES.md and checksums.sha256."""

import hashlib
import importlib.metadata
import platform
from pathlib import Path
from typing import Final

CHECKSUMS: Final = "checksums.sha256"
SOURCES: Final = "SOURCES.md"

_SOURCES = """\
# Sources

Made by `make.py` and never edited; `make.py --check` compares every file with `checksums.sha256`.

## The book
`raw/{{{braces}}}/`, `sft/`, `evaluation/`: *The Debian Administrator's Handbook*
({locales}), from the Debian package
`debian-handbook` {handbook}, <https://debian-handbook.info>. Copyright 2003-2015 Raphaël Hertzog, 2006-2015 Roland Mas,
2013-2015 Freexian SARL, and its translators. GPL-2.0-or-later or CC-BY-SA-3.0; used and passed on here under
[CC-BY-SA-3.0](https://creativecommons.org/licenses/by-sa/3.0/).

Changed: HTML taken away, numbers of headings left out, white space made single, cut into sections, paragraphs that a
translation left in English left out; for `sft/` and `evaluation/`, single paragraphs chosen, cut, and in the wrong
answers their words reordered; in `sft/preferences.jsonl` the answer to another question.

## The code
`raw/code/`: modules of Python {python}'s standard library that have no copyright notice of their own, whole and
unchanged, <https://www.python.org>. Copyright 2001-2023 Python Software Foundation; All Rights Reserved.
[PSF-2.0](licences/PSF-2.0.txt).

## The tokenizer
`tokenizer/`: trained on `raw/{{{trained}}}/`; CC-BY-SA-3.0, as what it was trained on.

## Versions
The same versions give the same bytes: debian-handbook {handbook}, Python {python}, pyarrow {pyarrow}, tokenizers
{tokenizers}. Another pyarrow writes its own version into the files; another Python has other modules.
"""


def write_sources(folder: Path, languages: list[str], more: list[str], locales: list[str], handbook: str) -> Path:
    """SOURCES.md in `folder`: attribution, licences and the versions that this process runs with."""
    path = folder / SOURCES
    text = _SOURCES.format(
        braces=",".join(languages + more),
        trained=",".join([*languages, "code"]),
        locales=", ".join(locales),
        handbook=handbook,
        python=platform.python_version(),
        pyarrow=importlib.metadata.version("pyarrow"),
        tokenizers=importlib.metadata.version("tokenizers"),
    )
    path.write_text(text, encoding="utf-8")
    return path


def write_checksums(folder: Path, files: list[Path]) -> Path:
    """checksums.sha256 in `folder`, in the form of `sha256sum`, for the files made."""
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in names]
    path = folder / CHECKSUMS
    path.write_text("".join(lines), encoding="utf-8")
    return path


def differences(folder: Path) -> list[str]:
    """A sentence for every file that is missing or isn't what was made."""
    found = []
    for line in (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing from {folder}: run make.py again or check it out anew.")
        elif _sha256(path) != expected:
            found.append(f"{name} in {folder} isn't the file that was made: check it out anew or run make.py again.")
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
