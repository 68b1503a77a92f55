"""JSON lines, plain or compressed: one object a line, told apart from the next by a line end and nothing else.

A plain file can be cut at any byte: a line belongs to the piece in which it starts. A compressed file is one piece.
"""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.json as pj

from trainingrun_workers.errors import BadData
from trainingrun_workers.tokenization.formats import Format, Keys, Looked, Rows, key_missing, valid
from trainingrun_workers.tokenization.lines import Block, blocks, first_lines, lines_in
from trainingrun_workers.tokenization.plan import Part, Piece

HEAD_BYTES: Final = 256 << 10  # looked at to tell how much of a file is text
PACKED_HEAD_BYTES: Final = 4 << 20  # unpacked; more, as how far that reaches in the file is known to 64 KiB only
ARROW_BYTES: Final = 2**31 - 2  # Arrow's reader takes no larger block
SHOWN_CHARACTERS: Final = 80
Line = tuple[str | None, float | None]  # a text and its score


def look(file: Any, path: str, size: int, keys: Keys, codec: str | None = None) -> Looked:
    """One part, of which rows and text are estimated from the file's head; BadData where no line has the text key."""
    stream = _opened(file, codec)
    head = stream.read(PACKED_HEAD_BYTES if codec else HEAD_BYTES)
    whole = len(head) < (PACKED_HEAD_BYTES if codec else HEAD_BYTES)
    content_bytes = len(head) if whole else size * (len(head) / max(1, file.tell()) if codec else 1)
    lines = [one for one in (head if whole else head[: head.rfind(b"\n") + 1]).split(b"\n") if one.strip()]
    if not lines:  # nothing at all, or the beginning of one very long line
        return Looked("", () if whole else _parts(size, codec, 1, int(content_bytes)), not codec)
    texts = _texts_of(lines, path, keys)
    scale = content_bytes / sum(len(one) + 1 for one in lines)
    text_bytes = sum(len(one.encode()) for one in texts) * scale
    return Looked("", _parts(size, codec, max(1, round(len(lines) * scale)), round(text_bytes)), not codec)


def rows(file: Any, piece: Piece, keys: Keys, limit: int | None, codec: str | None = None) -> Iterator[Rows]:
    """The lines that start in a piece, about BATCH_BYTES at a time."""
    left = limit
    for offset, block in blocks(_opened(file, codec), *_range(piece, codec)):
        if left is not None:
            block = first_lines(block, left)
        made = _parsed(block, offset, keys)
        del block  # a line may be large
        yield made
        if left is not None:
            left -= made.count
            if left <= 0:
                return


def counted(file: Any, part: Part, limit: int, codec: str | None = None) -> tuple[Part, ...]:
    """The part as smaller ones whose rows are exact, as far as the first `limit` rows reach."""
    found: list[Part] = []
    density = part.text_bytes / max(1, part.end - part.first)
    left = limit
    for offset, block in blocks(_opened(file, codec), *_range(part, codec)):
        count = lines_in(block)
        if count:
            found.append(Part(offset, offset + len(block), count, round(len(block) * density)))
        left -= count
        if left <= 0:
            break
    if codec and found:
        count = sum(one.rows for one in found)
        return (Part(0, 1, count, min(part.text_bytes, part.text_bytes * count // part.rows)),)
    return tuple(found)


def _opened(file: Any, codec: str | None) -> Any:
    return pa.CompressedInputStream(file, codec) if codec else file


def _range(part: Part | Piece, codec: str | None) -> tuple[int, int | None]:
    return (0, None) if codec else (part.first, part.end)


def _parts(size: int, codec: str | None, count: int, text_bytes: int) -> tuple[Part, ...]:
    return (Part(0, 1 if codec else size, count, text_bytes),)


def _texts_of(lines: list[Block], path: str, keys: Keys) -> list[str]:
    """The texts of a file's first lines; BadData where none of them is an object, or none has the key."""
    texts: list[str] = []
    names: set[str] = set()
    last = ""
    for line in lines:
        try:
            one = _object(line)
        except ValueError as error:
            last = str(error)
            continue
        names |= one.keys()
        if isinstance(text := one.get(keys.text), str):
            texts.append(text)
    if not names and last:
        raise BadData(
            "SourceCorrupt",
            f"The file {path!r} of source {keys.source!r} can't be read as jsonl ({last}): replace it or take it away.",
        )
    for key in (keys.text, keys.score):
        if key is not None and key not in names:
            raise key_missing(path, keys, key, f"has no key {key!r} in its first lines", sorted(names))
    return texts


def _parsed(block: Block, offset: int, keys: Keys) -> Rows:
    """Arrow's reader for what is in order, and line by line, to tell what is wrong, for what isn't."""
    return _at_once(block, keys) or _line_by_line(block, offset, keys)


def _at_once(block: Block, keys: Keys) -> Rows | None:
    if len(block) > ARROW_BYTES or not _is_utf8(block):
        return None
    schema = pa.schema([(keys.text, pa.large_string())])
    if keys.score is not None:
        schema = schema.append(pa.field(keys.score, pa.float64()))
    try:
        table = pj.read_json(
            pa.BufferReader(block),
            pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowException:
        return None
    texts = table.column(keys.text).combine_chunks()
    if texts.null_count or len(texts) != _number(block):
        return None  # a line without the key, or an object that is not on a line of its own
    return Rows(texts, None if keys.score is None else table.column(keys.score).combine_chunks())


def _number(block: Block) -> int:
    """Lines that are not blank, counted fast where none is."""
    if b"\n\n" in block:
        return lines_in(block)
    return block.count(b"\n") + (not block.endswith(b"\n"))


def _line_by_line(block: Block, offset: int, keys: Keys) -> Rows:
    good: list[Line] = []
    broken, first = 0, ""
    for line in block.split(b"\n"):
        if line.strip():
            try:
                good.append(_line(line, keys))
            except ValueError as error:
                first = first or f"the line at byte {offset}: {error}"
                broken += 1
        offset += len(line) + 1
    texts = pa.array([text for text, _ in good], pa.large_string())
    scores = None if keys.score is None else pa.array([score for _, score in good], pa.float64())
    return Rows(texts, scores, broken, first)


def _line(line: Block, keys: Keys) -> Line:
    one = _object(line)
    if keys.text not in one:
        raise ValueError(f"no key {keys.text!r}")
    text, score = one[keys.text], one.get(keys.score) if keys.score is not None else None
    if text is not None and not isinstance(text, str):
        raise ValueError(f"{keys.text!r} is no text")
    if text is not None:
        text.encode()  # half of a surrogate pair has no UTF-8
    return text, float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None


def _object(line: Block) -> dict[str, Any]:
    """The object in a line; ValueError, in a few words, where there is none."""
    try:
        one = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError("no UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON ({error})"[:SHOWN_CHARACTERS]) from error
    if not isinstance(one, dict):
        raise ValueError("no JSON object")
    return one


def _is_utf8(block: Block) -> bool:
    offsets = pa.array([0, len(block)], pa.int64()).buffers()[1]
    return valid(pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(block)]))


JSONL: Final = Format("jsonl", look, rows)
JSONL_ZST: Final = Format("jsonl.zst", partial(look, codec="zstd"), partial(rows, codec="zstd"))
JSONL_GZ: Final = Format("jsonl.gz", partial(look, codec="gzip"), partial(rows, codec="gzip"))
CODECS: Final[dict[str, str | None]] = {JSONL.name: None, JSONL_ZST.name: "zstd", JSONL_GZ.name: "gzip"}
