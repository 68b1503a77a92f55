"""Units of row groups: balanced, each made once whatever dies, and of files that stay as they were planned."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.tokenize_pods import (
    PATIENCE,
    Pods,
    Volume,
    contents,
    marker,
    source,
    spec,
    text,
    write_tokenizer,
)

KILLS = 24


def tokens(volume: Volume, name: str = "en") -> Path:
    return volume / "artifacts/tokens" / name


def records(folder: Path) -> list[dict[str, int]]:
    return [json.loads(one.read_text()) for one in sorted(folder.glob("*.done.json"))]


def write_groups(path: Path, texts: list[str], rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": texts}), path, row_group_size=rows)


def test_sixteen_units_get_about_equal_text_of_files_that_are_not_equal(pods: Pods, volume: Volume) -> None:
    shutil.rmtree(volume / "raw/en")
    for number in range(13):
        texts = [text(100 * number + i, 5 + (i * 37 + number) % 60) for i in range(60 + 90 * (number % 5))]
        write_groups(volume / f"raw/en/{number:02d}.parquet", texts, rows=4)
    assert pods.run(spec(shards=16, sources=(source(),))).exit_code == 0
    sizes = [one["textBytes"] for one in records(tokens(volume))]
    balance = max(sizes) / (sum(sizes) / len(sizes))
    print(f"{len(sizes)} units, largest by mean {balance:.3f}")
    assert len(sizes) == 16
    assert balance <= 1.05


def test_pods_that_are_killed_at_any_moment_leave_the_same_bytes_and_repeat_nothing(pods: Pods, volume: Volume) -> None:
    shutil.rmtree(volume / "raw/en")
    for number in range(4):
        texts = [(text(1000 * number + i, 300) + " ") * 30 for i in range(480)]
        write_groups(volume / f"raw/en/{number}.parquet", texts, rows=10)
    described = spec(shards=48, pods=2, sources=(source(),))
    for pod in range(2):
        pods.run(described, pod)
    expected = contents(tokens(volume))
    shutil.rmtree(volume / "artifacts")
    chance = random.Random(11)
    done: dict[str, int] = {}
    in_work = 0
    for number in range(KILLS):
        in_work += _killed(pods, volume, chance, number)
        done = _checked(tokens(volume), expected, done)
    print(f"{KILLS} kills, {in_work} of them with a unit being made, {len(done)} of 48 units done after them")
    assert in_work >= KILLS // 4
    assert done
    other = spec(shards=48, pods=3, sources=(source(),))
    for pod in range(3):
        assert pods.run(other, pod, attempt=1).exit_code == 0
    _checked(tokens(volume), expected, done)
    assert contents(tokens(volume)) == expected


def _killed(pods: Pods, volume: Volume, chance: random.Random, number: int) -> bool:
    """Start a pod and kill it at any moment, soon after it began to make units, or soon after it made one, in turn."""
    pod, folder = number % 2, tokens(volume)
    pattern = (None, f".tmp.uid-1.0.{pod}.*", "*.done.json")[number % 3]
    before = set(folder.glob(pattern)) if pattern else set()
    process = pods.start(spec(shards=48, pods=2, sources=(source(),)), pod)
    deadline = time.monotonic() + PATIENCE
    while pattern and process.poll() is None and not set(folder.glob(pattern)) - before:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05 if pattern else 1.5))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return bool(list(folder.glob(f".tmp.uid-1.0.{pod}.*/*.ds*")))


def _checked(folder: Path, expected: dict[str, str], before: dict[str, int]) -> dict[str, int]:
    """When each finished unit's tokens were written; all that has a final name is whole, nothing was made twice."""
    if not folder.exists():
        return before
    for name, digest in contents(folder).items():
        assert name == "COMPLETE.json" or expected[name] == digest
    names = [one.name.removesuffix(".done.json") for one in folder.glob("*.done.json")]
    now = {name: (folder / name).stat().st_mtime_ns for name in names}
    assert {name: now.get(name) for name in before} == before
    return now


def test_a_file_that_changes_while_it_is_read_is_told_and_what_others_gave_stays(pods: Pods, volume: Volume) -> None:
    texts = [text(i, 600) for i in range(8000)]
    write_groups(volume / "raw/en/004.parquet", texts, rows=1000)
    process = pods.start(spec(shards=12, sources=(source(),)))
    deadline = time.monotonic() + PATIENCE
    while len(list(tokens(volume).glob("*.done.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGSTOP)
    done = {one.name: one.stat().st_mtime_ns for one in tokens(volume).glob("*.ds")}
    write_groups(volume / "raw/en/004.parquet", [one.upper() for one in texts], rows=1000)
    process.send_signal(signal.SIGCONT)
    log, _ = process.communicate(timeout=PATIENCE)
    last = json.loads((volume / "last-uid-1-0-0").read_text())
    assert (process.returncode, last["reason"]) == (65, "SourceChanged"), log
    assert "The file '004.parquet' of source 'en' changed after the work on it began" in last["message"]
    again = pods.run(spec(shards=12, sources=(source(),)))
    assert (again.exit_code, again.reason) == (65, "SourceChanged"), "the same attempt goes by the same plan"
    assert pods.run(spec(shards=12, sources=(source(),)), attempt=1).exit_code == 0
    plan = json.loads((tokens(volume) / "PLAN.json").read_text())
    others = [
        f"{index:05d}.ds" for index, unit in enumerate(plan["units"]) if all(place != 4 for place, *_ in unit["pieces"])
    ]
    kept = {name: at for name, at in done.items() if name in others}
    assert kept
    assert {name: (tokens(volume) / name).stat().st_mtime_ns for name in kept} == kept
    assert marker(volume, "en")["textBytes"] == sum(map(len, texts)) + sum(
        len(text(1000 * number + i)) for number in range(4) for i in range(300)
    )


def test_documents_with_a_low_score_or_none_are_left_out_and_counted(pods: Pods, volume: Volume) -> None:
    texts = [*(text(i) for i in range(50)), "", None]
    scores = [None, float("nan"), *(i / 100 for i in range(50))]
    table = pa.table({"text": texts, "language_score": pa.array(scores, pa.float32())})
    pq.write_table(table, volume / "raw/scored.parquet", row_group_size=9)
    scored = source(path="raw/scored.parquet", score_key="language_score", min_score=0.25)
    result = pods.run(spec(sources=(scored,)))
    made = marker(volume, "en")
    kept = [one for one, score in zip(texts, scores, strict=True) if one and score is not None and score >= 0.25]
    assert (made["documents"], made["empty"], made["filtered"]) == (len(kept), 2, 50 - len(kept))
    assert made["textBytes"] == sum(map(len, kept))
    assert (result.output["filtered"], result.output["empty"]) == (50 - len(kept), 2)
    assert (made["scoreKey"], made["minScore"]) == ("language_score", 0.25)


@pytest.mark.parametrize(
    ("key", "words"), [("score", "has no column 'score'"), ("url", "holds string in column 'url', not numbers")]
)
def test_a_wrong_score_key_is_refused(pods: Pods, volume: Volume, key: str, words: str) -> None:
    result = pods.run(spec(sources=(source(score_key=key, min_score=0.5),)))
    assert (result.exit_code, result.reason) == (65, "ScoreKeyMissing")
    assert words in result.message
    assert not (volume / "artifacts").exists()


def test_texts_of_parquet_that_are_no_utf8_are_left_out_and_counted(pods: Pods, volume: Volume) -> None:
    content = [text(i).encode() for i in range(40)]
    content[7] = b"caf\xe9 " + content[7]
    strings = pa.Array.from_buffers(pa.string(), 40, pa.array(content, pa.binary()).buffers())
    pq.write_table(pa.table({"text": strings}), volume / "raw/odd.parquet")
    result = pods.run(spec(sources=(source(path="raw/odd.parquet"),)))
    assert result.exit_code == 0
    made = marker(volume, "en")
    assert (made["documents"], made["broken"]) == (39, 1)
    assert made["textBytes"] == sum(len(one) for i, one in enumerate(content) if i != 7)


@pytest.mark.long
def test_a_document_of_300_megabytes_passes_in_bounded_memory(
    engine_python: Callable[[str], Path], tmp_path: Path
) -> None:
    write_tokenizer(tmp_path / "tokenizer")
    large = (text(1, 1000) + "\n") * 52_000
    write_groups(tmp_path / "raw/en/a.parquet", ["first", large, "last"], rows=10)
    pods = Pods(str(engine_python("datatrove")), tmp_path)
    process = pods.start(spec(sources=(source(),)))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stdout is not None
    with process.stdout as log:
        assert process.returncode == 0, log.read()
    made = marker(tmp_path, "en")
    assert (made["documents"], made["textBytes"]) == (3, len(large) + 9)
    print(f"a document of {len(large) / 1e6:.0f} MB: {usage.ru_maxrss / 1e3:.0f} MB resident at most")
    assert len(large) > 300_000_000
    assert usage.ru_maxrss < 2_500_000
