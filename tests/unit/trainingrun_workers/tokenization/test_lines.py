"""Lines of a file that is cut anywhere: each is read once, by the piece in which it starts."""

import io
import json
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_workers.errors import BadData
from trainingrun_workers.tokenization import lines
from trainingrun_workers.tokenization.formats import Keys
from trainingrun_workers.tokenization.jsonl import counted, look, rows
from trainingrun_workers.tokenization.lines import blocks, first_lines
from trainingrun_workers.tokenization.plan import Part, Piece

KEYS = Keys("en", "text")
SCORED = Keys("en", "text", "score")


def read(content: bytes, first: int, end: int | None) -> list[bytes]:
    found = []
    for offset, block in blocks(io.BytesIO(content), first, end):
        assert content[offset : offset + len(block)] == block
        found += bytes(block).splitlines()
    return found


@given(
    st.lists(st.text("ab\u00e9", max_size=30), max_size=30), st.booleans(), st.sets(st.integers(0, 700), max_size=8),
    st.integers(1, 64),
)  # fmt: skip
def test_every_line_is_read_once_wherever_the_cuts_are(
    texts: list[str], ended: bool, cuts: set[int], batch: int
) -> None:
    content = "\n".join(texts).encode() + (b"\n" if ended else b"")
    places = [0, *sorted(one for one in cuts if 0 < one < len(content)), len(content)]
    whole, lines.BATCH_BYTES = lines.BATCH_BYTES, batch
    try:
        found = [one for first, end in zip(places, places[1:], strict=False) for one in read(content, first, end)]
    finally:
        lines.BATCH_BYTES = whole
    assert found == content.split(b"\n")[: len(found)]
    assert b"\n".join(found) == content.removesuffix(b"\n")


def test_a_line_belongs_where_it_starts() -> None:
    content = b"aaa\nbbb\nccc"
    assert [read(content, *cut) for cut in ((0, 4), (4, 5), (5, 8), (8, 11))] == [[b"aaa"], [b"bbb"], [], [b"ccc"]]


def made(content: bytes, keys: Keys = KEYS, limit: int | None = None) -> tuple[list[str | None], int, str]:
    piece = Piece("a.jsonl", 0, len(content), 1, 1)
    parts = list(rows(io.BytesIO(content), piece, keys, limit))
    texts = [text for one in parts for text in one.texts.to_pylist()]
    return texts, sum(one.broken for one in parts), next((one.place for one in parts if one.place), "")


BROKEN = {
    b'{"text": "caf\xe9"}': "no UTF-8",
    b'{"text": "a", "url": "\xff"}': "no UTF-8",
    b'{"text": "a"': "no JSON",
    b'{"text": "half \\ud800"}': "surrogates not allowed",
    b"[1, 2]": "no JSON object",
    b'{"txt": "a"}': "no key 'text'",
    b'{"text": 5}': "'text' is no text",
    b'{"text": "a"} {"text": "b"}': "no JSON",
    b'{"text":': "no JSON",
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_left_out_counted_and_told(line: bytes) -> None:
    texts, broken, place = made(b'{"text": "one"}\n\n' + line + b'\n{"text": "two"}\n{"text": null}')
    assert (texts, broken) == (["one", "two", None], 1)
    assert place.startswith("the line at byte 17: ")
    assert BROKEN[line] in place


@given(st.lists(st.text(min_size=1), min_size=1, max_size=20))
def test_texts_are_those_that_were_written(texts: list[str]) -> None:
    content = b"".join(json.dumps({"id": i, "text": one}).encode() + b"\n" for i, one in enumerate(texts))
    written = [one for one in texts if not any("\ud800" <= c <= "\udfff" for c in one)]
    assert made(content)[0] == written
    raw = b"".join(json.dumps({"text": one}, ensure_ascii=False).encode() + b"\r\n" for one in written)
    assert made(raw)[0] == written


def test_a_score_that_is_no_number_is_none_at_all() -> None:
    content = b'{"text": "a", "score": 0.5}\n{"text": "b"}\n{"text": "c", "score": "high"}\n{"text": "d", "score": 2}\n'
    [one] = rows(io.BytesIO(content), Piece("a", 0, len(content), 1, 1), SCORED, None)
    assert one.scores.to_pylist() == [0.5, None, None, 2.0]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
def test_a_limit_counts_lines_that_are_not_blank(limit: int) -> None:
    content = b'{"text": "a"}\n\n{"text": ""}\nbroken\n{"text": "b"}'
    texts, broken, _ = made(content, limit=limit)
    assert (texts, broken) == (["a", "", "b"][: limit if limit < 3 else limit - 1], int(limit > 2))
    parts = counted(io.BytesIO(content), Part(0, len(content), 1, 10), limit)
    assert min(limit, 4) <= sum(one.rows for one in parts) <= 4
    assert lines.lines_in(first_lines(content, limit)) == min(limit, 4)


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_a_packed_file_gives_what_a_plain_one_does(codec: str) -> None:
    chance = random.Random(5)
    content = b"".join(json.dumps({"text": chance.randbytes(200).hex()}).encode() + b"\n" for _ in range(20_000))
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(content)
    packed = sink.getvalue().to_pybytes()
    piece = Piece("a", 0, 1, 1, 1)
    texts = [text for one in rows(io.BytesIO(packed), piece, KEYS, None, codec) for text in one.texts.to_pylist()]
    assert texts == made(content)[0]
    looked = look(io.BytesIO(packed), "a", len(packed), KEYS, codec)
    assert looked.parts[0].rows == pytest.approx(20_000, rel=0.05)
    assert not looked.divisible
    with pytest.raises(OSError, match=r"[Tt]runcated|ended"):
        list(rows(io.BytesIO(packed[:-1000]), piece, KEYS, None, codec))


def test_a_look_tells_how_much_text_there_is() -> None:
    content = b"".join(json.dumps({"id": i, "text": "x" * (i % 300)}).encode() + b"\n" for i in range(30_000))
    [part] = look(io.BytesIO(content), "a", len(content), KEYS).parts
    assert (part.first, part.end) == (0, len(content))
    assert part.rows == pytest.approx(30_000, rel=0.04)
    assert part.text_bytes == pytest.approx(sum(i % 300 for i in range(30_000)), rel=0.04)


@pytest.mark.parametrize(
    ("keys", "content", "reason", "words"),
    [
        (KEYS, b'{"txt": "a", "id": 1}\n', "TextKeyMissing", "set textKey to one of id, txt"),
        (SCORED, b'{"text": "a"}\n', "ScoreKeyMissing", "set scoreKey to one of text"),
        (KEYS, b"PK\x03\x04\x00\xff", "SourceCorrupt", "no UTF-8"),
    ],
)
def test_a_look_refuses_what_has_no_such_key_or_is_no_jsonl(
    keys: Keys, content: bytes, reason: str, words: str
) -> None:
    with pytest.raises(BadData, match="'a.jsonl' of source 'en'") as caught:
        look(io.BytesIO(content), "a.jsonl", len(content), keys)
    assert caught.value.reason == reason
    assert words in caught.value.message


def test_an_empty_file_has_no_part() -> None:
    assert look(io.BytesIO(b""), "a", 0, KEYS).parts == ()
