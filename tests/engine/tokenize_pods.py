"""Pods of the tokenize stage, run as processes of the datatrove image's interpreter, and a volume for them."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from trainingrun_workers.contract import Result, RunReference, StageInput, TokenizeSpec, TokenSource

ROOT = Path(__file__).parents[2]
END = "<|end_of_text|>"
WORDS = "the volume holds every shard of tokens that a pod has made and no other pod makes again".split()
PATIENCE = 300.0  # seconds, on a machine that does much else
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


def fill_volume(volume: Volume) -> Volume:
    """A tokenizer and two sources: five files of English, and one of code with two rows that have no text."""
    write_tokenizer(volume / "tokenizer")
    for number in range(5):
        write_parquet(volume / f"raw/en/{number:03d}.parquet", [text(1000 * number + i) for i in range(300)])
    write_parquet(volume / "raw/code/a.parquet", [None, "", *(text(9000 + i) for i in range(50))], column="content")
    return volume


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
        self.environment: dict[str, str] = {}  # of the pods started from now on, beside what every pod has
        self._started: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """End what a failed test left."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

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
            **self.environment,
        }  # fmt: skip
        process = subprocess.Popen(
            [self.python, "-m", "trainingrun_workers", "tokenize"], env=environment, cwd=self.volume, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._started.append(process)
        return process

    def run(self, spec: TokenizeSpec, pod: int = 0, uid: str = "uid-1", attempt: int = 0) -> Result:
        process = self.start(spec, pod, uid, attempt)
        log, _ = process.communicate(timeout=PATIENCE)
        result = Result.from_text((self.volume / f"last-{uid}-{attempt}-{pod}").read_text())
        assert result is not None, log
        assert process.returncode == result.exit_code, log
        return result

    def all(self, **changes: Any) -> list[Result]:
        described = spec(**changes)
        return [self.run(described, pod) for pod in range(described.pods)]


def contents(folder: Path) -> dict[str, str]:
    """The hashes of a folder's files; of the plan without who was first to make it.

    Half a record that a killed pod has left is none of them: nobody reads it, and it goes after a day.
    """
    whole = [one for one in sorted(folder.iterdir()) if one.is_file() and not _is_half(one.name)]
    files = {one.name: one.read_bytes() for one in whole}
    if "PLAN.json" in files:
        plan = json.loads(files["PLAN.json"])
        files["PLAN.json"] = json.dumps({key: value for key, value in plan.items() if key != "madeBy"}).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def _is_half(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")


def all_contents(volume: Volume) -> dict[str, dict[str, str]]:
    return {name: contents(volume / f"artifacts/tokens/{name}") for name in ("en", "code")}


def marker(volume: Volume, name: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads((volume / f"artifacts/tokens/{name}/COMPLETE.json").read_text())
    return decoded
