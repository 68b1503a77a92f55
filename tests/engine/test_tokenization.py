"""The tokenize stage with the real datatrove: what it writes and what it survives."""

import json
import shutil
import signal
import struct
import time
from typing import Any

import pytest
from tokenizers import Tokenizer

from engine.tokenize_pods import (
    END,
    PATIENCE,
    Pods,
    Volume,
    all_contents,
    contents,
    marker,
    source,
    spec,
    text,
    write_parquet,
)
from trainingrun_workers.contract import Result


def test_tokens_are_those_of_the_tokenizer_with_an_end_after_each_document(pods: Pods, volume: Volume) -> None:
    [result] = pods.all()
    assert (result.exit_code, result.reason) == (0, "Completed")
    tokenizer = Tokenizer.from_file(str(volume / "tokenizer/tokenizer.json"))
    tokenizer.no_truncation()
    end: Any = tokenizer.token_to_id(END)
    expected: list[int] = []
    ends: list[int] = []
    for number in range(50):
        expected += [*tokenizer.encode(text(9000 + number), add_special_tokens=False).ids, end]
        ends.append(len(expected))
    folder = volume / "artifacts/tokens/code"
    assert (folder / "00000.ds").read_bytes() == struct.pack(f"<{len(expected)}H", *expected)
    assert (folder / "00000.ds.index").read_bytes() == struct.pack(f"<{len(ends)}Q", *ends)
    assert (folder / "00000.ds.metadata").read_text().splitlines()[:2] == ["tokenizer|2", str(len(expected))]
    code = marker(volume, "code")
    assert (code["tokens"], code["documents"], code["files"]) == (len(expected), 50, ["00000.ds"])
    assert code["textBytes"] == sum(len(text(9000 + number)) for number in range(50))
    kept = json.loads((volume / "artifacts/tokenize/x/COMPLETE.json").read_text())
    assert {key: result.output[key] for key in kept} == kept
    assert result.output["tokens"] == sum(marker(volume, name)["tokens"] for name in ("en", "code"))
    assert result.output["bytes"] == 2 * result.output["tokens"]


def test_the_estimate_is_near_what_is_measured(pods: Pods) -> None:
    [result] = pods.all()
    assert result.output["estimatedTokens"] == pytest.approx(result.output["tokens"], rel=0.1)


def test_ids_of_four_bytes_are_written_where_the_model_asks_for_them(pods: Pods, volume: Volume) -> None:
    pods.all()
    narrow = (volume / "artifacts/tokens/code/00000.ds").read_bytes()
    shutil.rmtree(volume / "artifacts")
    pods.all(token_bytes=4)
    wide = (volume / "artifacts/tokens/code/00000.ds").read_bytes()
    count = len(narrow) // 2
    assert struct.unpack(f"<{count}I", wide) == struct.unpack(f"<{count}H", narrow)


def test_the_bytes_do_not_depend_on_the_number_of_pods(pods: Pods, volume: Volume) -> None:
    pods.all(pods=1)
    alone = all_contents(volume)
    shutil.rmtree(volume / "artifacts")
    results = pods.all(pods=3)
    assert all_contents(volume) == alone
    assert not results[0].output["sources"], "the first of three pods can't have finished a source of four shards"
    assert len(results[2].output["sources"]) == 2
    assert not (volume / "logs").exists()


def test_a_killed_stage_goes_on_with_another_number_of_pods_to_the_same_bytes(pods: Pods, volume: Volume) -> None:
    for number in range(5):
        write_parquet(volume / f"raw/en/{number:03d}.parquet", [text(number + i, 600) for i in range(600)])
    process = pods.start(spec(pods=2))
    folder = volume / "artifacts/tokens/en"
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob("*.done.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    while not list(folder.glob(".tmp.*/*.ds")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = {one.name: one.stat().st_mtime_ns for one in folder.glob("*.ds")}
    assert 0 < len(before) < 4
    assert list(folder.glob(".tmp.*"))
    for pod in range(3):
        assert pods.run(spec(pods=3), pod, attempt=1).exit_code == 0
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before, "finished shards were made again"
    assert not list(folder.glob(".tmp.*"))
    resumed = all_contents(volume)
    shutil.rmtree(volume / "artifacts")
    pods.all(pods=1)
    assert all_contents(volume) == resumed


def test_a_pod_that_is_told_to_stop_ends_as_preempted_and_leaves_nothing_half_made(pods: Pods, volume: Volume) -> None:
    write_parquet(volume / "raw/en/000.parquet", [text(i, 600) for i in range(8000)] * 6)  # some seconds
    process = pods.start(spec())
    folder = volume / "artifacts/tokens/en"
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob(".tmp.*/*.ds")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    last = Result.from_text((volume / "last-uid-1-0-0").read_text())
    assert last is not None
    assert last.reason == "Preempted"
    assert not list(folder.glob("*.ds"))
    assert not list(folder.glob(".tmp.*"))


def test_two_runs_that_want_the_same_folder_at_once_do_not_hurt_each_other(pods: Pods, volume: Volume) -> None:
    both = [pods.start(spec(), uid=uid) for uid in ("uid-1", "uid-2")]
    logs = [one.communicate(timeout=PATIENCE)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], logs
    together = all_contents(volume)
    shutil.rmtree(volume / "artifacts")
    pods.all()
    assert all_contents(volume) == together


def test_a_complete_folder_is_used_again(pods: Pods, volume: Volume) -> None:
    [first] = pods.all()
    before = {one: one.stat().st_mtime_ns for one in (volume / "artifacts/tokens").rglob("*.ds")}
    second = pods.run(spec(), uid="uid-2")
    same = ("sources", "tokens", "documents", "bytes", "estimateError")
    assert {key: second.output[key] for key in same} == {key: first.output[key] for key in same}
    assert {one: one.stat().st_mtime_ns for one in before} == before


def test_a_run_says_what_another_had_made_and_how_fast_it_was_itself(pods: Pods, volume: Volume) -> None:
    english, code = spec().sources
    first = pods.run(spec(sources=(english,)))
    assert (first.output["reusedSources"], first.output["reusedTokens"], first.output["reusedBytes"]) == ("", 0, 0)
    assert first.output["textBytesPerCpuSecond"] > 0
    second = pods.run(spec(sources=(english, code)), uid="uid-2")
    found = marker(volume, "en")
    assert second.output["reusedSources"] == "en"
    assert second.output["reusedTokens"] == found["tokens"] == first.output["tokens"]
    assert second.output["reusedBytes"] == 2 * found["tokens"]
    assert second.output["reusedTextBytes"] == found["textBytes"]
    third = pods.run(spec(sources=(english, code)), uid="uid-3")
    assert third.output["reusedSources"] == "en, code"
    assert "textBytesPerCpuSecond" not in third.output
    again = pods.run(spec(sources=(english, code)), uid="uid-2", attempt=1)
    assert again.output["reusedSources"] == "en"


def test_a_complete_folder_of_other_files_is_refused(pods: Pods, volume: Volume) -> None:
    pods.all()
    write_parquet(volume / "raw/en/005.parquet", [text(1)])
    result = pods.run(spec(), uid="uid-2")
    assert (result.exit_code, result.reason) == (65, "SourceChanged")
    assert "new: 005.parquet" in result.message


def test_a_complete_folder_of_another_tokenizer_is_refused(pods: Pods, volume: Volume) -> None:
    pods.all()
    file = volume / "tokenizer/tokenizer.json"
    file.write_text(file.read_text() + "\n")
    result = pods.run(spec(), uid="uid-2")
    assert (result.exit_code, result.reason) == (78, "TokenizerChanged")


def test_a_limit_takes_the_first_documents_whatever_the_number_of_pods(pods: Pods, volume: Volume) -> None:
    limited = (source(limit=450),)
    for pod in range(2):
        pods.run(spec(pods=2, sources=limited), pod)
    made = marker(volume, "en")
    assert made["documents"] == 450
    assert made["textBytes"] == sum(len(text(1000 * (i // 300) + i % 300)) for i in range(450))
    by_two = contents(volume / "artifacts/tokens/en")
    shutil.rmtree(volume / "artifacts")
    pods.run(spec(sources=limited))
    assert contents(volume / "artifacts/tokens/en") == by_two


def test_a_single_file_is_a_source_too(pods: Pods, volume: Volume) -> None:
    result = pods.run(spec(sources=(source(path="raw/en/003.parquet"),)))
    assert result.exit_code == 0
    assert marker(volume, "en")["documents"] == 300


def test_a_document_that_holds_the_end_of_text_is_counted(pods: Pods, volume: Volume) -> None:
    write_parquet(volume / "raw/en/005.parquet", [f"one {END} two", "three"])
    pods.all()
    assert marker(volume, "en")["documentsWithEndOfText"] == 1


def test_snapshots_tell_shards_tokens_and_the_estimate(pods: Pods, volume: Volume) -> None:
    pods.all(pods=2)
    snapshot = json.loads((volume / "runs/uid-1/snapshots/tokenize-a0-1.json").read_text())
    assert (snapshot["step"], snapshot["total"], snapshot["unit"]) == (5, 5, "shards")
    total = sum(marker(volume, name)["tokens"] for name in ("en", "code"))
    assert (snapshot["tokens"], snapshot["counts"]["tokens"]) == (total, total)
    assert snapshot["counts"]["estimatedTokens"] > 0
    assert (snapshot["counts"]["en.complete"], snapshot["counts"]["code.complete"]) == (1, 1)


def test_a_source_is_complete_as_soon_as_its_units_are_and_before_the_next_one_is_made(
    pods: Pods, volume: Volume
) -> None:
    assert pods.run(spec()).exit_code == 0
    tokens = volume / "artifacts/tokens"
    first_of_code = min(one.stat().st_mtime_ns for one in (tokens / "code").glob("*.ds"))
    assert (tokens / "en/COMPLETE.json").stat().st_mtime_ns <= first_of_code
