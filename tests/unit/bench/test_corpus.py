"""The text that is measured with: made of what lies on the machine, the same each time, nothing in it twice."""

import gzip
import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench import plain_text
from bench.corpus import Kind, corpus

MANUAL = r""".\" a comment
.TH LS 1
.SH NAME
ls \- list
.B folder \fIcontents\fR of this machine
"""


def lines(number: int, count: int = 40) -> str:
    return "".join(f"line {n} of the document with the number {number}\n" for n in range(count))


@pytest.fixture
def kinds(tmp_path: Path) -> tuple[Kind, ...]:
    """Two hundred documents in each of two folders, a fifth of them nearly the same as another."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(200):
            text = lines(number - 1 if number % 5 == 4 else number) + f"{name} {number} is how this document ends\n"
            (tmp_path / name / f"{number}.txt").write_text(name.join(text))
    return tuple(
        Kind(name, (tmp_path / name,), (".txt",), plain_text.as_it_is, one) for name, one in (("a", 3), ("b", 1))
    )


def texts(folder: Path) -> list[str]:
    return [text for path in sorted(folder.glob("*.parquet")) for text in pq.read_table(path)["text"].to_pylist()]


def test_it_holds_as_much_as_was_asked_for_in_the_shares_that_were_asked_for(
    kinds: tuple[Kind, ...], tmp_path: Path
) -> None:
    folder, found = corpus(0, kinds, tmp_path / "one")
    assert len(texts(folder)) == found.documents == 1

    folder, found = corpus(2, kinds, tmp_path / "all")
    assert found.text_bytes == sum(len(text.encode()) for text in texts(folder))
    assert found.documents == len(texts(folder)) == 320, "those that are nearly the same are left out"
    assert pq.read_schema(folder / "000.parquet").names == ["text", "id", "url", "language_score"]
    assert sum("a0a" in text for text in texts(folder)[:80]) == pytest.approx(60, abs=2)
    assert "a 50%, b 50%" in found.in_words()


def test_it_is_the_same_each_time_and_made_once(kinds: tuple[Kind, ...], tmp_path: Path) -> None:
    folder, found = corpus(1, kinds, tmp_path / "one")
    before = (folder / "000.parquet").stat().st_mtime_ns

    assert corpus(1, kinds, folder) == (folder, found)
    assert (folder / "000.parquet").stat().st_mtime_ns == before
    assert corpus(1, kinds, tmp_path / "two")[1] == found
    assert texts(tmp_path / "two") == texts(folder)


def documents(path: Path, content: bytes, convert: plain_text.Convert) -> list[str]:
    path.write_bytes(content)
    return list(plain_text.documents(path, convert))


def test_manuals_lose_their_markup(tmp_path: Path) -> None:
    [text] = documents(tmp_path / "ls.1.gz", gzip.compress((MANUAL + lines(1)).encode()), plain_text.of_manual)

    assert text.startswith("LS 1\nNAME\nls - list\nfolder contents of this machine\nline 0 of")


def test_web_pages_lose_their_tags(tmp_path: Path) -> None:
    page = f"<html><style>p {{ a: b }}</style><body><p class='x'>1 &lt; 2</p>\n{lines(1)}</body></html>"
    [text] = documents(tmp_path / "page.html", page.encode(), plain_text.of_web_page)

    assert text == "1 < 2\n" + lines(1).strip()


def test_of_a_catalogue_the_translations_are_read_without_its_header(tmp_path: Path) -> None:
    messages = [b"Content-Type: text/plain", "è già qui\n".encode() * 30]
    table, start = 28, 28 + 16
    places = [(len(messages[0]), start), (len(messages[1]), start + len(messages[0]))]
    content = struct.pack("<7I", 0x950412DE, 0, 2, 0, table, 0, 0) + b"".join(
        struct.pack("<2I", *one) for one in places
    )

    assert documents(tmp_path / "it.mo", content + b"".join(messages), plain_text.of_translations) == [
        messages[1].decode().strip()
    ]


@pytest.mark.parametrize("content", [b"short", b"\xff" * 500, b"\0" * 500, b"not gzip" * 100])
def test_what_is_no_text_gives_no_document(tmp_path: Path, content: bytes) -> None:
    name = "x.gz" if content.startswith(b"not") else "x"
    assert documents(tmp_path / name, content, plain_text.as_it_is) == []
    assert documents(tmp_path / name, content, plain_text.of_translations) == []


def test_a_long_file_becomes_several_documents_cut_at_the_ends_of_lines(tmp_path: Path) -> None:
    whole = lines(1, 1000).strip()
    found = documents(tmp_path / "x.txt", whole.encode(), plain_text.as_it_is)

    assert "".join(found) == whole
    assert all(len(text) <= plain_text.DOCUMENT for text in found)
    assert all(text.endswith("\n") for text in found[:-1])
