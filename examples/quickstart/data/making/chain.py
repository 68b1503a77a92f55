"""All of it in order: sections, tokenizer, parquet, conversations, tasks, sources and checksums."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from making import conversations, handbook, ledger, python_library, questions, split, tables, vocabulary

MADE: Final = ("raw", "tokenizer", "sft", "evaluation", "licences")  # folders that are made anew every time


def make(out: Path, languages: list[str], more: list[str], book: Path) -> None:
    """Write everything below `out`, in place of what was there, from the unpacked package in `book`.

    The tokenizer is trained on `languages`, and the conversations are of them; of `more` there are text and tasks.
    """
    for name in MADE:
        shutil.rmtree(out / name, ignore_errors=True)
    english = handbook.documents(book, "en")
    keys = split.held_out_keys(english)
    sections = {"en": split.split(english, keys)} | {
        language: split.split(handbook.documents(book, language, english), keys) for language in languages[1:] + more
    }
    code = python_library.source_files(python_library.library())
    files = _write(out, sections, languages, code, handbook.version(book))
    files.append(_licence(out, python_library.licence(python_library.library())))
    locales = [handbook.LOCALES[one] for one in languages + more]
    files.append(ledger.write_sources(out, languages, more, locales, handbook.version(book)))
    ledger.write_checksums(out, files)
    print(f"{len(files)} files, {sum(one.stat().st_size for one in files):,} bytes in {out}")


def _write(
    out: Path,
    sections: Mapping[str, split.Split],
    languages: list[str],
    code: Sequence[python_library.SourceFile],
    version: str,
) -> list[Path]:
    texts = [one.text() for name in languages for one in sections[name].trained] + [one.text for one in code]
    tokenizer = vocabulary.train(texts)

    def count(text: str) -> int:
        return len(tokenizer.encode(text).ids)

    files = vocabulary.write(tokenizer, out / "tokenizer")
    files += tables.write_code(out / "raw" / "code", code)
    rows: dict[str, list[Any]] = {"conversations": [], "preferences": [], "held_out": []}
    english = sections["en"]
    for language, part in sections.items():
        files += tables.write_text(out / "raw" / language, language, part.trained, version, count)
        files += questions.write_tasks(out / "evaluation", language, split.paragraphs(part.held_out))
        if language in languages[1:]:
            trained = conversations.conversations(english.trained, part.trained, language, count)
            rows["conversations"] += trained
            rows["preferences"] += conversations.preferences(trained, count)
            rows["held_out"] += conversations.conversations(english.held_out, part.held_out, language, count)
    return files + [questions.write_lines(out / "sft" / f"{name}.jsonl", some) for name, some in rows.items()]


def _licence(out: Path, text: str) -> Path:
    path = out / "licences" / "PSF-2.0.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
