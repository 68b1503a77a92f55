"""The tokenize stage with the real datatrove: what it writes, what it survives, what it refuses."""

import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from trainingrun_workers.contract import Result, RunReference, StageInput, TokenizeSpec, TokenSource

ROOT = Path(__file__).parents[2]
END = "<|end_of_text|>"
WORDS = "the volume holds every shard of tokens that a pod has made and no other pod makes again".split()
Volume = Path


def text(number: int, words: int = 200) -> str:
    return " ".join(WORDS[(number * 7 + i * i + i // 5) % len(WORDS)] + str((number * i) % 10) for i in range(words))


def write_parquet(path: Path, texts: list[str | None], column: str = "text") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {column: pa.array(texts, pa.string()), "url": [f"https://example.org/{i}" for i in range(len(texts))]}
    )
    pq.write_table(table, path, row_group_size=100)


def write_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<|begin_of_text|>", END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator([text(i) for i in range(50)], trainer)
    tokenizer.enable_truncation(16)  # as some published tokenizers have it; nothing may be cut off
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": END}}))


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    write_tokenizer(tmp_path / "tokenizer")
    for number in range(5):
        write_parquet(tmp_path / f"raw/en/{number:03d}.parquet", [text(1000 * number + i) for i in range(300)])
    write_parquet(tmp_path / "raw/code/a.parquet", [None, "", *(text(9000 + i) for i in range(50))], column="content")
    return tmp_path


def spec(**changes: Any) -> TokenizeSpec:
    sources = (
        TokenSource("en", "raw/en", "**/*.parquet", "text", 0.7, "artifacts/tokens/en"),
        TokenSource("code", "raw/code", "**/*.parquet", "content", 0.3, "artifacts/tokens/code"),
    )
    values: dict[str, Any] = {
        "tokenizer": "tokenizer", "token_bytes": 2, "vocab_size": 512, "shards": 4, "pods": 1,
        "claim_bytes": None, "sources": sources,
    }  # fmt: skip
    return TokenizeSpec(**(values | changes))


def source(**changes: Any) -> TokenSource:
    values: dict[str, Any] = {
        "name": "en", "path": "raw/en", "glob": "**/*.parquet", "text_key": "text", "weight": 1.0,
        "folder": "artifacts/tokens/en",
    }  # fmt: skip
    return TokenSource(**(values | changes))


class Pods:
    """Runs the stage's pods as processes of the datatrove image's interpreter."""

    def __init__(self, python: str, volume: Volume) -> None:
        self.python, self.volume = python, volume

    def start(self, spec: TokenizeSpec, pod: int = 0, uid: str = "uid-1", attempt: int = 0) -> subprocess.Popen[str]:
        name = f"{uid}-{attempt}-{pod}"
        stage_input = StageInput(
            RunReference("default", "run", uid), "tokenize", "tokenize", attempt, "artifacts/tokenize/x",
            f"runs/{uid}", None, 0.2, 5.0, spec,
        )  # fmt: skip
        document = self.volume / f"input-{name}.json"
        document.write_text(stage_input.to_json())
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.volume), "PYTHONPATH": str(ROOT / "workers"),
            "TRAININGRUN_VOLUME": str(self.volume), "TRAININGRUN_INPUT": str(document),
            "TRAININGRUN_TERMINATION_LOG": str(self.volume / f"last-{name}"), "JOB_COMPLETION_INDEX": str(pod),
        }  # fmt: skip
        return subprocess.Popen(
            [self.python, "-m", "trainingrun_workers", "tokenize"], env=environment, cwd=self.volume, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, spec: TokenizeSpec, pod: int = 0, uid: str = "uid-1", attempt: int = 0) -> Result:
        process = self.start(spec, pod, uid, attempt)
        log, _ = process.communicate(timeout=120)
        result = Result.from_text((self.volume / f"last-{uid}-{attempt}-{pod}").read_text())
        assert result is not None, log
        assert process.returncode == result.exit_code, log
        return result

    def all(self, **changes: Any) -> list[Result]:
        described = spec(**changes)
        return [self.run(described, pod) for pod in range(described.pods)]


@pytest.fixture
def pods(engine_python: Callable[[str], str], volume: Volume) -> Pods:
    return Pods(str(engine_python("datatrove")), volume)


def contents(folder: Path) -> dict[str, str]:
    return {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(folder.iterdir()) if one.is_file()}


def all_contents(volume: Volume) -> dict[str, dict[str, str]]:
    return {name: contents(volume / f"artifacts/tokens/{name}") for name in ("en", "code")}


def marker(volume: Volume, name: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads((volume / f"artifacts/tokens/{name}/COMPLETE.json").read_text())
    return decoded


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
    assert result.output == json.loads((volume / "artifacts/tokenize/x/COMPLETE.json").read_text())
    assert result.output["tokens"] == sum(marker(volume, name)["tokens"] for name in ("en", "code"))


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
        write_parquet(volume / f"raw/en/{number:03d}.parquet", [text(number + i, 600) for i in range(3000)])
    process = pods.start(spec(pods=2))
    folder = volume / "artifacts/tokens/en"
    deadline = time.monotonic() + 60
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
    write_parquet(volume / "raw/en/000.parquet", [text(i, 600) for i in range(20000)])
    process = pods.start(spec())
    folder = volume / "artifacts/tokens/en"
    deadline = time.monotonic() + 60
    while not list(folder.glob(".tmp.*/*.ds")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    last = Result.from_text((volume / "last-uid-1-0-0").read_text())
    assert last is not None
    assert last.reason == "Preempted"
    assert not list(folder.glob("*.ds"))
    assert not list(folder.glob(".tmp.*"))


def test_two_runs_that_want_the_same_folder_at_once_do_not_hurt_each_other(pods: Pods, volume: Volume) -> None:
    both = [pods.start(spec(), uid=uid) for uid in ("uid-1", "uid-2")]
    logs = [one.communicate(timeout=120)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], logs
    together = all_contents(volume)
    shutil.rmtree(volume / "artifacts")
    pods.all()
    assert all_contents(volume) == together


def test_a_complete_folder_is_used_again(pods: Pods, volume: Volume) -> None:
    [first] = pods.all()
    before = {one: one.stat().st_mtime_ns for one in (volume / "artifacts/tokens").rglob("*.ds")}
    second = pods.run(spec(), uid="uid-2")
    assert second.output == first.output
    assert {one: one.stat().st_mtime_ns for one in before} == before


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
    assert (made["documents"], made["files"]) == (450, ["00000.ds", "00001.ds"])
    assert made["textBytes"] == sum(len(text(1000 * (i // 300) + i % 300)) for i in range(450))


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
    snapshot = json.loads((volume / "runs/uid-1/snapshots/tokenize-1.json").read_text())
    assert (snapshot["step"], snapshot["total"], snapshot["unit"]) == (5, 5, "shards")
    total = sum(marker(volume, name)["tokens"] for name in ("en", "code"))
    assert (snapshot["tokens"], snapshot["counts"]["tokens"]) == (total, total)
    assert snapshot["counts"]["estimatedTokens"] > 0


def refused(pods: Pods, volume: Volume, described: TokenizeSpec) -> Result:
    result = pods.run(described)
    assert not (volume / "artifacts").exists(), "work began before everything was checked"
    assert result.message.count("\n") == 0
    return result


def test_a_missing_source_is_refused_before_any_work(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(sources=(source(), source(name="fr", path="raw/fr"))))
    assert (result.exit_code, result.reason) == (65, "SourceMissing")
    assert "'fr'" in result.message
    assert "'raw/fr'" in result.message


def test_a_source_without_files_is_refused(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(sources=(source(glob="**/*.pq"),)))
    assert (result.exit_code, result.reason) == (65, "SourceEmpty")
    assert "**/*.pq" in result.message


def test_a_source_without_rows_is_refused(pods: Pods, volume: Volume) -> None:
    write_parquet(volume / "raw/none/a.parquet", [])
    result = refused(pods, volume, spec(sources=(source(path="raw/none"),)))
    assert (result.exit_code, result.reason) == (65, "SourceEmpty")


def test_a_source_without_text_is_reported(pods: Pods, volume: Volume) -> None:
    write_parquet(volume / "raw/none/a.parquet", ["", None])
    result = pods.run(spec(sources=(source(path="raw/none"),)))
    assert (result.exit_code, result.reason) == (65, "SourceEmpty")


def test_a_torn_file_is_refused_by_name(pods: Pods, volume: Volume) -> None:
    file = volume / "raw/en/002.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    result = refused(pods, volume, spec())
    assert (result.exit_code, result.reason) == (65, "SourceCorrupt")
    assert "'raw/en/002.parquet'" in result.message


def test_a_file_that_is_corrupt_in_the_middle_is_reported_by_name_and_mending_it_goes_on(
    pods: Pods, volume: Volume
) -> None:
    file = volume / "raw/en/002.parquet"
    whole = file.read_bytes()
    middle = pq.ParquetFile(file).metadata.row_group(2).column(0).data_page_offset
    file.write_bytes(whole[:middle] + b"\xff" * 200 + whole[middle + 200 :])
    result = pods.run(spec())
    assert (result.exit_code, result.reason) == (65, "SourceCorrupt")
    assert "'raw/en/002.parquet'" in result.message
    file.write_bytes(whole)
    assert pods.run(spec(), attempt=1).exit_code == 0


def test_a_wrong_text_key_is_refused_with_the_columns_there_are(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(sources=(source(text_key="txt"),)))
    assert (result.exit_code, result.reason) == (65, "TextKeyMissing")
    assert "'txt'" in result.message
    assert "text, url" in result.message


def test_a_missing_tokenizer_is_refused(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(tokenizer="tokenizers/none"))
    assert (result.exit_code, result.reason) == (78, "TokenizerMissing")
    assert "'tokenizers/none'" in result.message


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(pods: Pods, volume: Volume) -> None:
    ids = Tokenizer.from_file(str(volume / "tokenizer/tokenizer.json")).get_vocab_size()
    result = refused(pods, volume, spec(vocab_size=ids - 1))
    assert (result.exit_code, result.reason) == (78, "VocabularyTooLarge")
    assert f"{ids:,} ids" in result.message
    assert f"room for {ids - 1:,}" in result.message


def test_a_claim_without_room_for_the_estimate_is_refused_with_figures(pods: Pods, volume: Volume) -> None:
    result = refused(pods, volume, spec(claim_bytes=100_000))
    assert (result.exit_code, result.reason) == (78, "ClaimTooSmall")
    assert "100 kB" in result.message


@pytest.fixture
def small_volume(volume: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Volume]:
    mount = tmp_path_factory.mktemp("small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", mount], check=False).returncode:
        pytest.skip("needs to mount a small file system: run as root")
    try:
        shutil.copytree(volume, mount, dirs_exist_ok=True)
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


def fill(volume: Volume, leave: int) -> Path:
    filler = volume / "filler"
    with filler.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(volume).free - leave)))
    return filler


def test_a_volume_without_room_for_the_estimate_is_refused_with_figures(pods: Pods, small_volume: Volume) -> None:
    pods.volume = small_volume
    fill(small_volume, 100_000)
    result = refused(pods, small_volume, spec())
    assert (result.exit_code, result.reason) == (78, "ClaimTooSmall")
    assert "kB are free" in result.message


def test_a_volume_that_fills_up_asks_for_another_attempt_which_goes_on(pods: Pods, small_volume: Volume) -> None:
    pods.volume = small_volume
    write_parquet(small_volume / "raw/en/000.parquet", [text(i, 600) for i in range(4000)])
    process = pods.start(spec())
    deadline = time.monotonic() + 60
    while not list(small_volume.glob("artifacts/tokens/en/.tmp.*/*.ds")) and time.monotonic() < deadline:
        time.sleep(0.005)
    filler = fill(small_volume, 0)
    log, _ = process.communicate(timeout=120)
    assert process.returncode == 75, log
    assert '"VolumeFull"' in (small_volume / "last-uid-1-0-0").read_text() or "VolumeFull: " in log
    filler.unlink()
    assert pods.run(spec(), attempt=1).exit_code == 0
