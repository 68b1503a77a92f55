"""Sources at s3:// addresses, from a real S3 server; and what can be told of hf:// ones without the hub."""

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.s3_server import S3Server
from engine.tokenize_pods import (
    PATIENCE,
    Pods,
    Volume,
    contents,
    fill_volume,
    marker,
    source,
    spec,
    text,
    write_parquet,
)
from trainingrun_workers.contract import Result

BUCKET = "texts"


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    folder = tmp_path / "volume"
    folder.mkdir()
    return fill_volume(folder)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[S3Server]:
    bucket = tmp_path / "objects" / BUCKET
    bucket.mkdir(parents=True)
    started = S3Server(bucket.parent)
    started.start()
    yield started
    started.kill()


@pytest.fixture
def pods(engine_python: Callable[[str], Path], volume: Volume, server: S3Server) -> Iterator[Pods]:
    made = Pods(str(engine_python("datatrove")), volume)
    made.environment |= server.environment
    yield made
    made.close()


def write_jsonl(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": one, "url": "https://example.org"}) + "\n" for one in texts))


def tokens(volume: Volume) -> dict[str, str]:
    """The hashes of the token files, without what tells of their inputs."""
    made = contents(volume / "artifacts/tokens/en")
    return {name: content for name, content in made.items() if not name.endswith(".json")}


def run(pods: Pods, path: str, attempt: int = 0, glob: str = "**/*.parquet", folder: str = "en") -> Result:
    return pods.run(spec(sources=(source(path=path, glob=glob, folder=f"artifacts/tokens/{folder}"),)), attempt=attempt)


def test_parquet_in_a_bucket_gives_the_same_bytes_as_on_the_volume(pods: Pods, server: S3Server) -> None:
    for number in range(3):
        texts: list[str | None] = [text(1000 * number + i) for i in range(250)]
        write_parquet(pods.volume / f"raw/both/deep/{number}.parquet", texts)
        write_parquet(server.folder / BUCKET / f"some/where/deep/{number}.parquet", texts)
    assert run(pods, "raw/both").exit_code == 0
    assert run(pods, f"s3://{BUCKET}/some/where", folder="s3").exit_code == 0
    here, there = (contents(pods.volume / f"artifacts/tokens/{name}") for name in ("en", "s3"))
    names = [f"0000{i}.ds{side}" for i in range(4) for side in ("", ".index", ".metadata")]
    assert {name: there[name] for name in names} == {name: here[name] for name in names}
    assert marker(pods.volume, "s3")["documents"] == 750


def test_jsonl_in_a_bucket_gives_the_same_bytes_as_on_the_volume(pods: Pods, server: S3Server) -> None:
    texts = [text(i, 600) for i in range(2000)]
    write_jsonl(pods.volume / "raw/lines/a.jsonl", texts)
    write_jsonl(server.folder / BUCKET / "lines/a.jsonl", texts)
    assert run(pods, "raw/lines", glob="*.jsonl").exit_code == 0
    assert run(pods, f"s3://{BUCKET}/lines", glob="*.jsonl", folder="s3").exit_code == 0
    assert run(pods, f"s3://{BUCKET}/lines/a.jsonl", folder="alone").exit_code == 0
    here, there, alone = (contents(pods.volume / f"artifacts/tokens/{name}") for name in ("en", "s3", "alone"))
    names = [f"0000{i}.ds{side}" for i in range(4) for side in ("", ".index", ".metadata")]
    assert {name: there[name] for name in names} == {name: here[name] for name in names}
    assert {name: alone[name] for name in names} == {name: here[name] for name in names}
    assert marker(pods.volume, "s3")["documents"] == 2000


def one_sentence(result: Result) -> str:
    assert result.message.count("\n") == 0
    assert result.message.endswith(".")
    assert "s3://" in result.message or "hf://" in result.message
    return result.message


@pytest.mark.parametrize(("variable"), ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_a_wrong_key_is_refused_and_says_where_it_is_mended(pods: Pods, server: S3Server, variable: str) -> None:
    write_parquet(server.folder / BUCKET / "a.parquet", [text(1)])
    pods.environment[variable] = "wrong"
    result = run(pods, f"s3://{BUCKET}")
    assert (result.exit_code, result.reason) == (78, "SourceForbidden")
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in one_sentence(result)
    assert not (pods.volume / "artifacts").exists()


def test_a_bucket_that_is_not_there_is_refused(pods: Pods) -> None:
    result = run(pods, "s3://nobody/has/this")
    assert (result.exit_code, result.reason) == (65, "SourceMissing")
    assert "there is no such bucket" in one_sentence(result)


def test_a_folder_that_is_not_in_the_bucket_is_refused(pods: Pods) -> None:
    result = run(pods, f"s3://{BUCKET}/none")
    assert (result.exit_code, result.reason) == (65, "SourceMissing")
    assert f"'s3://{BUCKET}/none'" in one_sentence(result)


def test_a_file_that_is_no_parquet_is_refused_by_its_address(pods: Pods, server: S3Server) -> None:
    (server.folder / BUCKET / "a.parquet").write_bytes(b"PAR1" + bytes(500))
    result = run(pods, f"s3://{BUCKET}")
    assert (result.exit_code, result.reason) == (65, "SourceCorrupt")
    assert f"s3://{BUCKET}/a.parquet" in one_sentence(result)


def test_a_server_that_is_not_there_asks_for_another_attempt(pods: Pods, server: S3Server) -> None:
    server.kill()
    result = run(pods, f"s3://{BUCKET}")
    assert (result.exit_code, result.reason) == (75, "SourceUnreachable")
    assert "tried again by itself" in one_sentence(result)


def test_a_server_that_goes_away_in_the_middle_asks_for_another_attempt_which_goes_on(
    pods: Pods, server: S3Server
) -> None:
    chosen = random.Random(1)
    words = [chosen.randbytes(4).hex() for _ in range(20_000)]  # new words each time: what was seen is fast to encode
    texts: list[str | None] = [" ".join(chosen.choices(words, k=1000)) for _ in range(3000)]
    write_parquet(pods.volume / "raw/large/a.parquet", texts)
    write_parquet(server.folder / BUCKET / "large/a.parquet", texts)
    described = spec(shards=20, sources=(source(path=f"s3://{BUCKET}/large"),))
    process = pods.start(described)
    folder = pods.volume / "artifacts/tokens/en"
    deadline = time.monotonic() + PATIENCE
    while not list(folder.glob("*.done.json")) and time.monotonic() < deadline:
        time.sleep(0.001)
    server.kill()
    log, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75, log
    result = Result.from_text((pods.volume / "last-uid-1-0-0").read_text())
    assert result is not None
    assert result.reason == "SourceUnreachable"
    assert f"s3://{BUCKET}/large/a.parquet" in one_sentence(result)
    before = {one.name: one.stat().st_mtime_ns for one in folder.glob("*.ds")}
    assert 0 < len(before) < 20
    server.start()
    assert pods.run(described, attempt=1).exit_code == 0
    assert {name: (folder / name).stat().st_mtime_ns for name in before} == before, "finished units were made again"
    resumed = tokens(pods.volume)
    pods.run(spec(shards=20, sources=(source(path="raw/large", folder="artifacts/tokens/here"),)))
    here = contents(pods.volume / "artifacts/tokens/here")
    assert resumed == {name: content for name, content in here.items() if not name.endswith(".json")}


def test_the_hub_without_a_network_asks_for_another_attempt(pods: Pods) -> None:
    pods.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"  # the port of nobody
    result = run(pods, "hf://datasets/HuggingFaceFW/fineweb-2/data/ita_Latn/train")
    assert (result.exit_code, result.reason) == (75, "SourceUnreachable")
    assert "hf://datasets/HuggingFaceFW/fineweb-2" in one_sentence(result)


def test_a_hub_address_without_a_repository_is_refused(pods: Pods) -> None:
    result = run(pods, "hf://datasets/fineweb-2")
    assert (result.exit_code, result.reason) == (78, "AddressInvalid")
    assert "hf://datasets/OWNER/NAME/FOLDER" in one_sentence(result)
