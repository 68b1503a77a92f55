"""Which attempt a stage's folder belongs to, so that pods of an earlier one that nobody could end leave it alone.

Claims are numbered files in `<stage folder>/claims`, each made once and never changed; the one with the highest number
holds. A process that slept between looking and claiming finds its number taken and looks again, so no claim is ever
lowered.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from trainingrun_workers.contract import StageInput
from trainingrun_workers.errors import Retry
from trainingrun_workers.volume import FILE_MODE, Volume, make_folder

FOLDER: Final = "claims"


@dataclass(frozen=True)
class Claim:
    """The claim of one attempt on a stage's folder."""

    folder: Path
    uid: str  # the run's
    attempt: int

    @classmethod
    def of(cls, stage_input: StageInput, volume: Volume) -> Self:
        """The claim of the attempt that an input is for."""
        return cls(volume.path(stage_input.folder), stage_input.run.uid, stage_input.attempt)

    @property
    def name(self) -> str:
        """The attempt, for the names of what only it writes."""
        return f"{self.uid}-a{self.attempt}"

    def take(self) -> None:
        """Claim the folder; Retry("Fenced") where a later attempt of the same run has claimed it."""
        place = make_folder(self.folder / FOLDER)
        while True:
            known = {number: _read(place / f"{number:08d}.json") for number in _numbers(place)}
            if any(uid == self.uid and attempt > self.attempt for uid, attempt in known.values()):
                raise self.fenced()
            last = max(known, default=0)
            if known.get(last) == (self.uid, self.attempt) or self._make(place / f"{last + 1:08d}.json"):
                return

    def held(self) -> bool:
        """Whether no other attempt has claimed the folder since."""
        place = self.folder / FOLDER
        last = max(_numbers(place), default=0)
        return _read(place / f"{last:08d}.json") == (self.uid, self.attempt)

    def check(self) -> None:
        """Retry("Fenced") where the claim is held no more."""
        if not self.held():
            raise self.fenced()

    def fenced(self) -> Retry:
        """What ends an attempt whose claim is held no more."""
        return Retry(
            "Fenced",
            f"Attempt {self.attempt} of run {self.uid} no longer holds {self.folder}, which a later attempt has "
            "claimed: it ends here and changes nothing there.",
        )

    def _make(self, path: Path) -> bool:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, json.dumps({"uid": self.uid, "attempt": self.attempt}).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return True


def _numbers(place: Path) -> list[int]:
    return [int(path.stem) for path in place.glob("*.json")]


def _read(path: Path) -> tuple[str, int]:
    """Run and attempt of a claim; of nobody where it is being made."""
    try:
        raw = json.loads(path.read_text())
        return str(raw["uid"]), int(raw["attempt"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0
