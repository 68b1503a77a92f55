"""The two ways to tokenize one corpus that are compared, each as processes on fresh folders, and what they wrote."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from bench.costs import Cost, measured
from engine.tokenize_pods import Pods
from trainingrun_workers.contract import TokenizeSpec, TokenSource
from trainingrun_workers.volume import read_marker

SCRIPT: Final = Path(__file__).with_name("report_script.py")
UNITS: Final = 32  # where several pods share the work
FOLDER: Final = "artifacts/tokens/text"
Name = TypeVar("Name", str, int)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Tokenizer:
    """A folder with tokenizer.json and its settings."""

    name: str
    folder: Path
    end_of_text: str
    size: int  # ids
    token_bytes: int


@dataclass(frozen=True)
class Outcome:
    """What a way cost and what it wrote."""

    cost: Cost
    tokens: int
    digest: str  # of the ids in order
    sides: dict[str, str]  # of .index and .metadata, by their endings, where the ids lie in one file


@dataclass(frozen=True)
class Contenders:
    """The report's script and the tokenize stage, over the same files with the same tokenizer."""

    python: str  # the datatrove image's
    corpus: Path
    tokenizer: Tokenizer
    scratch: Path

    def script(self) -> Outcome:
        """datatrove's ParquetReader and DocumentTokenizer in one process."""
        work = self._fresh("script")
        # Under the very name that the stage's volume has it, which goes into .metadata.
        shutil.copy(self.tokenizer.folder / "tokenizer.json", work / "tokenizer")
        arguments = [str(self.corpus), "tokens", "tokenizer", self.tokenizer.end_of_text, "logs"]
        start = partial(
            subprocess.Popen, [self.python, str(SCRIPT), *arguments], cwd=work, text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(work)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        cost, _ = measured([start])
        return self._outcome(cost, work / "tokens")

    def stage(self, pods: int = 1, units: int = 1, threads: int = 1) -> Outcome:
        """The tokenize stage as that many pods of so many CPUs at the same time, which make so many token files."""
        volume = self._fresh("volume")
        shutil.copytree(self.tokenizer.folder, volume / "tokenizer")
        (volume / "raw").mkdir()
        for path in self.corpus.glob("*.parquet"):
            os.link(path, volume / "raw" / path.name)
        processes = Pods(self.python, volume)
        try:
            cost, _ = measured([partial(processes.start, self._spec(pods, units, threads), pod) for pod in range(pods)])
        finally:
            processes.close()
        if read_marker(volume / FOLDER) is None:
            raise RuntimeError(f"{pods} pods have ended, but the token folder is not complete.")
        return self._outcome(cost, volume / FOLDER)

    def _spec(self, pods: int, units: int, threads: int) -> TokenizeSpec:
        source = TokenSource("text", "raw", "*.parquet", "text", 1.0, FOLDER)
        return TokenizeSpec(
            tokenizer="tokenizer", token_bytes=self.tokenizer.token_bytes, vocab_size=self.tokenizer.size,
            shards=units, pods=pods, claim_bytes=None, sources=(source,), threads=threads,
        )  # fmt: skip

    def _fresh(self, name: str) -> Path:
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        (self.scratch / name).mkdir()
        return self.scratch / name

    def _outcome(self, cost: Cost, folder: Path) -> Outcome:
        files = sorted(folder.glob("*.ds"))
        sides = {end: _digest([Path(f"{files[0]}{end}")]) for end in (".index", ".metadata")} if len(files) == 1 else {}
        tokens = sum(path.stat().st_size for path in files) // self.tokenizer.token_bytes
        return Outcome(cost, tokens, _digest(files), sides)


def rounds(number: int, ways: Mapping[Name, Callable[[], Outcome]], say: Say) -> dict[Name, list[Outcome]]:
    """Each way's outcomes, where the ways take turns so that a change of the machine's load strikes all of them."""
    found: dict[Name, list[Outcome]] = {name: [] for name in ways}
    for turn in range(number):
        for name, way in ways.items():
            one = way()
            found[name].append(one)
            say(f"round {turn + 1} of {number}, {name}: {one.cost.wall:.1f} s, {one.cost.cpu:.1f} CPU-s")
    return found


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
