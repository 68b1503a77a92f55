"""Sources of JSON lines, plain and compressed: the same tokens as from parquet, whatever the cuts; and broken lines."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.tokenize_pods import Pods, Volume, contents, marker, source, spec, text, write_parquet, write_tokenizer

DOCUMENTS = [*(text(i, 20 + i * 7 % 400) for i in range(1500)), "", "caf\u00e9 \U0001f600\n\u2028 \u4e2d\u6587", "end"]


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    write_tokenizer(tmp_path / "tokenizer")
    return tmp_path


@pytest.fixture
def pods(engine_python: Callable[[str], Path], volume: Volume) -> Iterator[Pods]:
    made = Pods(str(engine_python("datatrove")), volume)
    yield made
    made.close()


def line(document: str | None, **more: Any) -> bytes:
    return json.dumps({"id": "x", "text": document, **more}, ensure_ascii=len(document or "") % 2 == 0).encode() + b"\n"


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = {".zst": "zstd", ".gz": "gzip"}.get(path.suffix)
    if codec is None:
        path.write_bytes(content)
        return
    with pa.CompressedOutputStream(str(path), codec) as stream:
        stream.write(content)


def lines(**changes: Any) -> Any:
    return source(**({"glob": "**/*.jsonl*"} | changes))


def all_tokens(volume: Volume) -> bytes:
    return b"".join(one.read_bytes() for one in sorted((volume / "artifacts/tokens/en").glob("*.ds")))


def made_of(runner: Pods, volume: Volume, **changes: Any) -> bytes:
    for pod in range(changes.get("pods", 1)):
        assert runner.run(spec(**changes), pod).exit_code == 0
    return all_tokens(volume)


def test_jsonl_gives_the_tokens_that_parquet_does_plain_or_compressed_and_by_any_number_of_pods(
    pods: Pods, volume: Volume
) -> None:
    write_parquet(volume / "raw/en/a.parquet", DOCUMENTS)
    expected = made_of(pods, volume, sources=(source(),))
    shutil.rmtree(volume / "artifacts")
    content = b"".join(map(line, DOCUMENTS))
    write(volume / "raw/en/a.jsonl", content)
    assert made_of(pods, volume, sources=(lines(),), shards=7, pods=3) == expected
    made = marker(volume, "en")
    assert (made["documents"], made["empty"], made["broken"]) == (len(DOCUMENTS) - 1, 1, 0)
    assert len(made["files"]) == 7
    by_three = contents(volume / "artifacts/tokens/en")
    shutil.rmtree(volume / "artifacts")
    made_of(pods, volume, sources=(lines(),), shards=7)
    assert contents(volume / "artifacts/tokens/en") == by_three
    shutil.rmtree(volume / "artifacts")
    (volume / "raw/en/a.jsonl").unlink()
    third = len(content) // 3
    first, second = content.find(b"\n", third) + 1, content.find(b"\n", 2 * third) + 1
    write(volume / "raw/en/a.jsonl.zst", content[:first])
    write(volume / "raw/en/b.jsonl", content[first:second])
    write(volume / "raw/en/c.jsonl.gz", content[second:])
    assert made_of(pods, volume, sources=(lines(),), shards=7, pods=2) == expected
    plan = json.loads((volume / "artifacts/tokens/en/PLAN.json").read_text())
    pieces = [piece for unit in plan["units"] for piece in unit["pieces"]]
    assert [piece[1:3] for piece in pieces if piece[0] != 1] == [[0, 1], [0, 1]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.zst"])
def test_a_limit_takes_the_first_lines_of_jsonl_whatever_the_number_of_pods(
    pods: Pods, volume: Volume, name: str
) -> None:
    write(volume / "raw/en" / name, b"".join(line(one) + b"\n" for one in DOCUMENTS[:400]))
    write(volume / "raw/en/b.jsonl", b"".join(map(line, DOCUMENTS)))
    first = made_of(pods, volume, sources=(lines(limit=450),), shards=5, pods=2)
    expected = [*DOCUMENTS[:400], *DOCUMENTS[:50]]
    made = marker(volume, "en")
    assert (made["documents"], made["textBytes"]) == (450, sum(len(one.encode()) for one in expected))
    shutil.rmtree(volume / "artifacts")
    assert made_of(pods, volume, sources=(lines(limit=450),), shards=5) == first


def test_broken_lines_are_left_out_counted_and_noted(pods: Pods, volume: Volume) -> None:
    broken = [b'{"text": "caf\xe9"}\n', b'{"text": "torn\n', b'{"txt": "a"}\n', b"[]\n"]
    whole = [line(one, score=i / 1500) for i, one in enumerate(DOCUMENTS[:1500])]
    write(
        volume / "raw/en/a.jsonl", b"".join([*whole[:700], *broken, b"\n", *whole[700:], b'{"text": "the end is mis'])
    )
    result = pods.run(spec(sources=(lines(score_key="score", min_score=0.5),), shards=1))
    assert result.exit_code == 0
    made = marker(volume, "en")
    assert (made["documents"], made["broken"], made["filtered"], made["empty"]) == (750, 5, 750, 0)
    assert made["textBytes"] == sum(map(len, DOCUMENTS[750:1500]))
    assert result.output["broken"] == 5
    snapshot = json.loads((volume / "runs/uid-1/snapshots/tokenize-a0-0.json").read_text())
    assert (snapshot["counts"]["en.broken"], snapshot["counts"]["en.filtered"]) == (5, 750)
    assert any("5 documents are broken" in note for note in snapshot["notes"])


def test_too_many_broken_lines_are_refused_with_the_first_place_and_go_on_after_the_mend(
    pods: Pods, volume: Volume
) -> None:
    good = [line(one) for one in DOCUMENTS[:1400]]
    write(volume / "raw/en/a.jsonl", b"".join(good))
    write(volume / "raw/en/b.jsonl", b"".join([*good[:200], *[b'{"text": "torn\n'] * 30, *good[200:400]]))
    result = pods.run(spec(sources=(lines(),), shards=4))
    assert (result.exit_code, result.reason) == (65, "SourceBroken")
    place = len(b"".join(good[:200]))
    assert f"the first is in 'b.jsonl', the line at byte {place}: no JSON" in result.message
    assert result.message.count("\n") == 0
    folder = volume / "artifacts/tokens/en"
    done = {one.name: one.stat().st_mtime_ns for one in folder.glob("*.ds")}
    assert done
    write(volume / "raw/en/b.jsonl", b"".join(good[:400]))
    assert pods.run(spec(sources=(lines(),), shards=4), attempt=1).exit_code == 0
    units = json.loads((folder / "PLAN.json").read_text())["units"]
    kept = [f"{i:05d}.ds" for i, unit in enumerate(units) if all(place == 0 for place, *_ in unit["pieces"])]
    assert kept
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == {name: done[name] for name in kept}
    assert marker(volume, "en")["documents"] == 1800


@pytest.mark.parametrize(
    ("name", "content", "reason", "words"),
    [
        ("a.jsonl", line("a").replace(b"text", b"body"), "TextKeyMissing", "set textKey to one of body, id"),
        ("a.jsonl", b"\x28\xb5\x2f\xfd no json", "SourceCorrupt", "can't be read as jsonl"),
        ("a.jsonl", b"", "SourceEmpty", "no row"),
    ],
)
def test_jsonl_that_is_none_is_refused_before_any_work(
    pods: Pods, volume: Volume, name: str, content: bytes, reason: str, words: str
) -> None:
    write(volume / "raw/en" / name, content)
    result = pods.run(spec(sources=(lines(),)))
    assert (result.exit_code, result.reason) == (65, reason)
    assert words in result.message
    assert not (volume / "artifacts").exists()


@pytest.mark.parametrize("name", ["a.jsonl.zst", "a.jsonl.gz"])
def test_a_truncated_compressed_file_is_reported_by_name(pods: Pods, volume: Volume, name: str) -> None:
    write(volume / "raw/en" / name, b"".join(map(line, DOCUMENTS)))
    file = volume / "raw/en" / name
    file.write_bytes(file.read_bytes()[:-500])
    result = pods.run(spec(sources=(lines(),)))
    assert (result.exit_code, result.reason) == (65, "SourceCorrupt")
    assert f"'raw/en/{name}' can't be read as {name.removeprefix('a.')}" in result.message
