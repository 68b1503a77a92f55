"""`trainingrun estimate` with what trainingrun[estimate] installs, held against the stage that it is about."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from builders import QUICKSTART, a_manifest
from engine.s3_server import S3Server
from engine.stage_runs import EXAMPLE
from engine.tokenize_pods import Pods, Volume
from trainingrun.api.yaml_text import dumped
from trainingrun_workers.contract import StageInput, TokenizeSpec

ROOT: Final = Path(__file__).parents[2]
CLOSE: Final = 0.05


class Command:
    """Runs `trainingrun` with or without the packages that its estimate needs."""

    def __init__(self, python: Path, own: Path) -> None:
        self._packages = next((python.parents[1] / "lib").glob("python3.*/site-packages"))
        # Of the two pins of typer the command's own is what pip installs with trainingrun[estimate].
        self._own = own
        (own / "typer").symlink_to(Path(typer.__file__).parent)

    def run(self, *arguments: str, with_packages: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        packages = [str(self._own), str(self._packages)] if with_packages else []
        paths = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "workers"), *packages])
        return subprocess.run(
            [sys.executable, "-m", "trainingrun.cli", *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": paths, **environment}, timeout=120,
        )  # fmt: skip

    def estimate(self, *arguments: str, **environment: str) -> dict[str, Any]:
        done = self.run("estimate", *arguments, "-o", "json", **environment)
        assert done.returncode == 0, done.stderr
        decoded: dict[str, Any] = json.loads(done.stdout)
        return decoded

    def refused(self, *arguments: str, with_packages: bool = True) -> tuple[int, str]:
        done = self.run("estimate", *arguments, with_packages=with_packages)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        return done.returncode, done.stderr

    def spec(self, manifest: Path) -> TokenizeSpec:
        """What the tokenize stage of a manifest is told."""
        objects = json.loads(self.run("plan", str(manifest), "-o", "json").stdout)["items"]
        document = next(
            one["data"]["input.json"] for one in objects if one["metadata"]["name"].endswith("-tokenize-a1")
        )
        spec = StageInput.from_json(document).spec
        assert isinstance(spec, TokenizeSpec)
        return spec


@pytest.fixture
def command(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(engine_python("datatrove"), tmp_path_factory.mktemp("own"))


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A claim as the quickstart has it."""
    for folder in ("raw", "tokenizer"):
        shutil.copytree(EXAMPLE / folder, tmp_path / "volume" / folder)
    return tmp_path / "volume"


@pytest.fixture
def pods(engine_python: Callable[[str], Path], volume: Volume) -> Iterator[Pods]:
    made = Pods(str(engine_python("datatrove")), volume)
    yield made
    made.close()


def texts_of(folder: str, column: str) -> list[str]:
    tables = [pq.read_table(file, columns=[column]) for file in sorted((EXAMPLE / folder).glob("*.parquet"))]
    return [str(one) for table in tables for one in table.column(0).to_pylist()]


def write_lines(path: Path, texts: list[str], codec: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps({"text": one}) + "\n" for one in texts).encode()
    with pa.output_stream(path, compression=codec) as file:
        file.write(lines)


def off(estimated: float, real: float) -> float:
    return abs(estimated / real - 1)


def test_estimates_of_the_shipped_corpora_are_off_by_five_per_cent_at_most(
    command: Command, pods: Pods, volume: Volume
) -> None:
    spec = command.spec(QUICKSTART)
    estimate = command.estimate(str(QUICKSTART), "--volume", str(volume))
    result = pods.run(replace(spec, pods=1))
    assert result.exit_code == 0
    real = {one["name"]: one for one in result.output["sources"]}
    training = estimate["training"]
    assert (training["steps"], training["tokens"], training["gpuMemoryBytes"]) == (900, 921_600, None)
    assert [one["name"] for one in estimate["sources"]] == list(real) == ["handbook-en", "handbook-it", "python"]
    for one in estimate["sources"]:
        name = one["name"]
        assert one["documents"] == real[name]["documents"], name
        assert off(one["tokens"], real[name]["tokens"]) <= CLOSE, name
        assert off(one["textBytes"], real[name]["textBytes"]) <= CLOSE, name
        folder = volume / real[name]["folder"]
        on_disk = sum(file.stat().st_size for file in folder.iterdir() if ".ds" in file.name)
        assert off(one["bytes"], on_disk) <= CLOSE, name
    assert off(estimate["all"]["tokens"], result.output["tokens"]) <= CLOSE
    assert estimate["sources"][0]["sampledTextBytes"] < 0.7 * real["handbook-en"]["textBytes"], "not all was read"
    assert abs(result.output["estimateError"]) <= CLOSE, "the stage's own estimate"


@pytest.mark.parametrize("codec", [None, "zstd"])
def test_estimates_of_jsonl_are_off_by_five_per_cent_at_most(
    command: Command, pods: Pods, volume: Volume, tmp_path: Path, codec: str | None
) -> None:
    texts = texts_of("raw/en", "text")
    suffix = {None: "jsonl", "zstd": "jsonl.zst"}[codec]
    for number in range(10):
        write_lines(volume / f"raw/lines/{number}.{suffix}", texts[number::10], codec)
    source = {"name": "lines", "path": "raw/lines", "glob": f"*.{suffix}"}
    manifest = tmp_path / "run.yaml"
    manifest.write_text(dumped(a_manifest(data=[source])))
    estimate = command.estimate(str(manifest), "--volume", str(volume))["all"]
    result = pods.run(replace(command.spec(manifest), pods=1))
    assert result.exit_code == 0, result.message
    assert off(estimate["tokens"], result.output["tokens"]) <= CLOSE
    assert off(estimate["documents"], result.output["documents"]) <= CLOSE


def test_the_time_is_for_the_pods_that_are_asked_for(command: Command, volume: Volume) -> None:
    estimate = command.estimate(str(QUICKSTART), "--volume", str(volume), "--pods", "10")
    assert estimate["pods"] == 10
    assert estimate["all"]["seconds"] == pytest.approx(estimate["all"]["cpuHours"] * 3600 / 10)


def test_more_pods_than_there_are_units_make_nothing_faster(command: Command, volume: Volume) -> None:
    assert command.estimate(str(QUICKSTART), "--volume", str(volume), "--pods", "1000")["pods"] == 4 * 3


def test_a_claim_without_room_is_told_with_figures_and_the_exit_code(
    command: Command, volume: Volume, tmp_path: Path
) -> None:
    manifest = tmp_path / "run.yaml"
    for size, code, words in (
        ("1Mi", 1, "There is no room for the tokens: 1.05 MB for 1.6"),
        ("1Gi", 0, "There is room"),
    ):
        manifest.write_text(dumped(a_manifest(storage={"claim": {"size": size}})))
        done = command.run("estimate", str(manifest), "--volume", str(volume))
        assert (done.returncode, done.stderr) == (code, "")
        assert words in done.stdout
    assert command.run("estimate", str(manifest), "--volume", str(volume), "--free", "1M").returncode == 1


def test_a_source_in_a_bucket_is_read_there(command: Command, volume: Volume, tmp_path: Path) -> None:
    bucket = tmp_path / "objects/texts"
    shutil.copytree(EXAMPLE / "raw/en", bucket / "en")
    manifest = tmp_path / "run.yaml"
    manifest.write_text(dumped(a_manifest(data=[{"name": "handbook-en", "path": "s3://texts/en"}])))
    server = S3Server(bucket.parent)
    server.start()
    try:
        there = command.estimate(str(manifest), "--volume", str(volume), **server.environment)
    finally:
        server.kill()
    here = command.estimate(str(QUICKSTART), "--volume", str(volume))["sources"][0]
    assert {key: there["all"][key] for key in ("documents", "tokens", "bytes")} == {
        key: here[key] for key in ("documents", "tokens", "bytes")
    }
    assert there["all"]["seconds"] > 0


def test_what_lies_on_a_claim_that_is_not_here_is_asked_for(command: Command) -> None:
    code, message = command.refused(str(QUICKSTART))
    assert code == 2
    assert "'handbook-en' (raw/en)" in message
    assert "--volume FOLDER" in message


def test_a_source_that_is_not_in_the_folder_is_named(command: Command, volume: Volume) -> None:
    shutil.rmtree(volume / "raw/it")
    code, message = command.refused(str(QUICKSTART), "--volume", str(volume))
    assert code == 1
    assert "'handbook-it' has no 'raw/it'" in message


def test_without_its_packages_it_says_what_to_install(command: Command, volume: Volume) -> None:
    code, message = command.refused(str(QUICKSTART), "--volume", str(volume), with_packages=False)
    assert code == 2
    assert "pip install 'trainingrun[estimate]'" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--volume", "/nowhere"), "/nowhere is no folder"),
        (("--volume", "/", "--pods", "0"), "no number of pods"),
        (("--volume", "/", "--free", "much"), "'much' is not a quantity"),
    ],
)
def test_a_wrong_option_is_one_sentence(command: Command, arguments: tuple[str, ...], words: str) -> None:
    code, message = command.refused(str(QUICKSTART), *arguments)
    assert code == 2
    assert words in message
