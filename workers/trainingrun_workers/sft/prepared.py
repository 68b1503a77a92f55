"""The tokenized conversations of a stage on its volume, which a later attempt takes up when they are whole.

Axolotl takes any prepared folder that is not empty for a whole one, and a lock file of a killed process for a living
one; so both are seen to here. The folder's COMPLETE_MARKER holds the counts of `RowCounts`, the files that were read,
the sizes of those that were made, and counts of tokens. Each attempt has the folder under a name of its own, which
whoever still writes for an earlier one doesn't know.
"""

import dataclasses
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.pretrain.checkpoints import discard, sizes
from trainingrun_workers.volume import make_folder, mark_complete, read_marker

_PREFIX: Final = "prepared-"
_REMOVED: Final = f"{_PREFIX}removed-"
_PACKINGS: Final = "packings"
# As `datasets` saves them; packings have checksums of their own.
_DATA: Final = re.compile(r"[^/]+/(data-[^/]+\.arrow|[a-z_]+\.json)")
_LEFT_BY_KILLED: Final = ("datasets_prep.lock", "datasets_ready.flag", "process_counter.txt")


@dataclass(frozen=True)
class RowCounts:
    """What has become of the rows that were given."""

    rows: int  # conversations in the data sets
    overlong: int  # of these, dropped because they are longer than sequence_len (or have less than two tokens)
    unlabelled: int  # of these, dropped because no token of theirs is trained on
    kept: int

    @property
    def dropped(self) -> int:
        """Rows that are not trained on."""
        return self.rows - self.kept

    def notes(self, sequence_length: int, rows: str = "conversations", cut: bool = False) -> tuple[str, ...]:
        """A sentence for each kind of dropped rows, which are called `rows`; no text that is `cut` is too long."""
        notes = []
        if self.overlong and cut:
            notes.append(
                f"{self.overlong} of {self.rows} {rows} are single tokens, left where texts were cut at sequence_len "
                f"{sequence_length}, and were dropped."
            )
        elif self.overlong:
            notes.append(
                f"{self.overlong} of {self.rows} {rows} are longer than sequence_len {sequence_length} and "
                "were dropped: raise it to train on them."
            )
        if self.unlabelled:
            notes.append(
                f"{self.unlabelled} of {self.rows} {rows} have no token to train on and were dropped: look at "
                "roles_to_train."
            )
        return tuple(notes)


class Prepared:
    """The folder that Axolotl writes tokenized data into, as an attempt has it below its stage's folder."""

    def __init__(self, stage: Path, attempt: str) -> None:
        self.folder = stage / f"{_PREFIX}{attempt}"

    @property
    def packings(self) -> Path:
        """Where `packings.Packings` lie, each of which is looked at for itself."""
        return self.folder / _PACKINGS

    def reuse(self, files: dict[str, list[int]], keep: bool) -> bool:
        """Whether whole data of an earlier attempt are there, made from these files; what is not whole is removed.

        With `keep` they are taken up even when the files have changed since: a run that has trained ends with the
        data that it began with.
        """
        whole: Path | None = None
        for path in reversed(self._all()):
            marker = read_marker(path) or {}
            if whole is None and _is_whole(path, marker) and (keep or marker["files"] == files):
                whole = path
            else:
                discard(path, _REMOVED)
        if whole:
            whole.rename(self.folder)
        make_folder(self.folder)
        for name in _LEFT_BY_KILLED:
            (self.folder / name).unlink(missing_ok=True)
        return whole is not None

    def adopt(self, stage: Path, files: dict[str, list[int]]) -> bool:
        """Take over the data that another stage has prepared from these files; whether there were any.

        They are moved, since nothing else needs them: the stage that prepared them has told what is to be told.
        """
        for path in sorted(stage.glob(f"{_PREFIX}*")):
            marker = read_marker(path) or {}
            if _is_whole(path, marker) and marker["files"] == files:
                shutil.rmtree(self.folder, ignore_errors=True)
                path.rename(self.folder)
                return True
        return False

    def finish(self, counts: RowCounts, files: dict[str, list[int]], tokens: dict[str, int]) -> None:
        """Mark the folder, once all of it is written; `tokens` are counts that Axolotl has under these keys."""
        own = {"files": files, "tokens": tokens, "sizes": _sizes(self.folder)}
        mark_complete(self.folder, {**dataclasses.asdict(counts), **own})

    def counts(self) -> RowCounts:
        """The counts of the folder's marker."""
        marker: dict[str, Any] = read_marker(self.folder) or {}
        return RowCounts(**{one.name: marker.get(one.name, 0) for one in dataclasses.fields(RowCounts)})

    def tokens(self) -> dict[str, int]:
        """The counts of tokens of the folder's marker, which Axolotl would read all labels for; empty without one."""
        counted: dict[str, int] = (read_marker(self.folder) or {}).get("tokens", {})
        return counted

    def remove(self) -> None:
        """Remove the data, which nothing needs once the stage is done."""
        for path in self._all():
            shutil.rmtree(path, ignore_errors=True)

    def _all(self) -> list[Path]:
        return sorted(self.folder.parent.glob(f"{_PREFIX}*"))


def _is_whole(folder: Path, marker: dict[str, Any]) -> bool:
    """Whether a folder is marked and has all that it had then; a marker of an earlier version lists no sizes."""
    if not marker:
        return False
    found = _sizes(folder)
    return all(found.get(name) == size for name, size in marker.get("sizes", {}).items())


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file of the data; locks of other ranks lie beside their folder, and caches in it."""
    listed = sizes(folder).items()
    return {name: size for name, size in listed if _DATA.fullmatch(name)}
