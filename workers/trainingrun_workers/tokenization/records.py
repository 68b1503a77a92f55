"""What is kept of finished units and of a finished source, so that work is never done twice nor mixed up."""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import StageInput, TokenizeSpec, TokenSource
from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.tokenization.counts import RECORD_KEYS, Counts
from trainingrun_workers.tokenization.plan import Unit
from trainingrun_workers.tokenization.planned import Plan
from trainingrun_workers.tokenization.sources import Source
from trainingrun_workers.tokenization.vocabulary import Vocabulary
from trainingrun_workers.volume import make_folder, mark_complete, read_marker, sync_file, sync_folder, write_atomic

SIDES: Final = (".index", ".metadata", "")  # a unit's files in the order of publication: the tokens are the last
RECORD_SUFFIX: Final = ".done.json"
TEMPORARY: Final = ".tmp"
ABANDONED_SECONDS: Final = 86_400.0  # nobody works that long at one unit


@dataclass(frozen=True)
class TokenFolder:
    """A source's folder of tokens, with the plan that its files follow."""

    spec: TokenSource
    folder: Path
    source: Source
    plan: Plan
    vocabulary: Vocabulary
    token_bytes: int

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of the plan."""
        return self.plan.units

    def identity(self, unit: Unit) -> dict[str, Any]:
        """All that a unit's bytes depend on."""
        return {
            "pieces": [[one.path, self.source.file(one.path).content, one.first, one.end] for one in unit.pieces],
            "limit": unit.limit,
            **self._settings(),
            "tokenizerSha256": self.vocabulary.sha256,
            "tokenBytes": self.token_bytes,
        }

    def record(self, unit: Unit) -> dict[str, Any] | None:
        """What is kept of the unit once it is done, else None; of other inputs or another tokenizer is not done."""
        try:
            record = json.loads(self._record_file(unit).read_text())
            tokens = int(record["tokens"])
            size = (self.folder / unit.name).stat().st_size if tokens else 0
        except (OSError, ValueError, KeyError, TypeError):
            return None
        same = all(record.get(key) == value for key, value in self.identity(unit).items())
        return record if same and size == tokens * self.token_bytes else None

    def publish(self, unit: Unit, made: Path, counts: Counts) -> dict[str, Any]:
        """Give a unit's files (made as `made/<name>`) their final names, and keep the record that it is done."""
        digest = ""
        if not counts.tokens:
            self._take_away(unit.name)
        else:
            with (made / unit.name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            for side in SIDES:
                sync_file(made / (unit.name + side))
                os.replace(made / (unit.name + side), self.folder / (unit.name + side))
            sync_folder(self.folder)
        record = {**self.identity(unit), **counts.to_record(), "sha256": digest}
        write_atomic(self._record_file(unit), json.dumps(record, sort_keys=True) + "\n")
        return record

    def finish(self) -> dict[str, Any] | None:
        """The folder's marker, written now if all units are done and it wasn't there; None while some are missing."""
        marker = self.marker()
        if marker is None:
            records = [self.record(unit) for unit in self.units]
            done = [one for one in records if one is not None]
            if len(done) < len(records):
                return None
            marker = self._summary(done)
            for name in {one.name for one in self.folder.glob("*.ds")} - set(marker["files"]):
                self._take_away(name)  # of an older plan with more units
            mark_complete(self.folder, marker)
        return marker

    def marker(self) -> dict[str, Any] | None:
        """The finished folder's marker; BadData or BadConfig where the folder was made of something else."""
        marker = read_marker(self.folder)
        if marker is None:
            return None
        if marker.get("tokenizerSha256") != self.vocabulary.sha256:
            raise BadConfig(
                "TokenizerChanged",
                f"The tokens in {self.spec.folder} were made with another tokenizer than the one that is there now: "
                "put the old one back, or the new one into a folder of its own.",
            )
        now = [{"path": one.path, "size": one.size} for one in self.source.files]
        if marker.get("inputs") != now:
            raise BadData(
                "SourceChanged",
                f"The files of source {self.spec.name!r} are not those that the tokens in {self.spec.folder} were made "
                f"of ({_difference(marker.get('inputs') or [], now)}): put them back, or the new data into a folder "
                "of their own.",
            )
        return marker

    def _settings(self) -> dict[str, Any]:
        spec = self.spec
        return {"textKey": spec.text_key, "scoreKey": spec.score_key, "minScore": spec.min_score}

    def _take_away(self, name: str) -> None:
        for side in reversed(SIDES):
            (self.folder / (name + side)).unlink(missing_ok=True)

    def _record_file(self, unit: Unit) -> Path:
        return self.folder / (unit.name + RECORD_SUFFIX)

    def _summary(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        tokens = sum(one["tokens"] for one in records)
        if not tokens:
            raise BadData(
                "SourceEmpty", f"No row of source {self.spec.name!r} has text in {self.spec.text_key!r}: mend textKey."
            )
        return {
            "source": self.spec.path,
            **{key: sum(one[key] for one in records) for key in RECORD_KEYS.values()},
            "estimatedTokens": self.plan.estimated_tokens,
            "estimateError": error_of(self.plan.estimated_tokens, tokens),
            "files": [s.name for s, one in zip(self.units, records, strict=True) if one["tokens"]],
            "sha256": [one["sha256"] for one in records if one["tokens"]],
            "tokenizerSha256": self.vocabulary.sha256,
            "tokenBytes": self.token_bytes,
            **self._settings(),
            "limit": self.spec.limit,
            "inputs": [{"path": one.path, "size": one.size} for one in self.source.files],
        }


def error_of(estimated: int, measured: int) -> float:
    """How far an estimate was off, as a fraction of what was measured: 0.02 where it was 2 % too high."""
    return round((estimated - measured) / max(1, measured), 6)


def _difference(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> str:
    old, new = ({one["path"]: one["size"] for one in files} for files in (before, now))
    kinds = {
        "new": sorted(new.keys() - old.keys()),
        "gone": sorted(old.keys() - new.keys()),
        "of another size": sorted(path for path in old.keys() & new.keys() if old[path] != new[path]),
    }
    return "; ".join(
        f"{kind}: {', '.join(paths[:3])}{' …' if paths[3:] else ''}" for kind, paths in kinds.items() if paths
    )


@contextlib.contextmanager
def temporary_folder(folder: Path, stage_input: StageInput, pod: int) -> Iterator[Path]:
    """An empty folder below `folder` that no other pod, attempt or run writes to, not even a lost one's ghost."""
    host = os.uname().nodename.replace(".", "-")
    name = ".".join((TEMPORARY, stage_input.run.uid, str(stage_input.attempt), str(pod), host, str(os.getpid())))
    try:
        yield make_folder(folder / name)
    finally:
        shutil.rmtree(folder / name, ignore_errors=True)


def clear_leftovers(folder: Path, stage_input: StageInput, spec: TokenizeSpec, pod: int) -> None:
    """Take away what killed pods left: this pod's, those of indexes that are no more, and what is a day old."""
    for left in folder.glob(f"{TEMPORARY}.*"):
        parts = left.name.removeprefix(TEMPORARY + ".").split(".")
        owner = int(parts[2]) if len(parts) == 5 and parts[2].isdigit() else -1
        own = parts[0] == stage_input.run.uid and (owner == pod or (pod == 0 and owner >= spec.pods))
        try:
            if own or time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        except FileNotFoundError:
            continue
    for half in folder.glob(".*.tmp"):  # of a record or a plan, whose writer was killed; nobody reads it
        with contextlib.suppress(FileNotFoundError):
            if time.time() - half.stat().st_mtime > ABANDONED_SECONDS:
                half.unlink()


def temporary_bytes(folder: Path) -> int:
    """Bytes of units that are being made, by whomever."""
    total = 0
    for file in folder.glob(f"{TEMPORARY}.*/*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total
