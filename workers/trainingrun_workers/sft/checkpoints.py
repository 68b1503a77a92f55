"""The trainer's checkpoints, `<folder>/checkpoint-30` and so on, of which only marked ones are read.

The trainer writes a checkpoint file by file under its final name and takes the one with the highest number for the
newest, whole or not. So each is synced and given a COMPLETE_MARKER with the sizes of its files once all ranks have
written, and whatever lacks that is removed before the trainer looks.
"""

import re
import shutil
from pathlib import Path
from typing import Final

from trainingrun_workers.contract import COMPLETE_MARKER
from trainingrun_workers.pretrain.checkpoints import sizes
from trainingrun_workers.volume import make_folder, mark_complete, read_marker

STATE: Final = "trainer_state.json"
_NAME: Final = re.compile(r"checkpoint-(\d+)")


class Checkpoints:
    """The checkpoints in the trainer's output folder, by step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, step: int) -> Path:
        """The folder of a step's checkpoint, there or not."""
        return self.folder / f"checkpoint-{step}"

    def complete(self) -> tuple[int, ...]:
        """The steps of all marked checkpoints, ascending."""
        return tuple(sorted(step for step, path in self._named() if (path / COMPLETE_MARKER).is_file()))

    def newest(self) -> int | None:
        """The highest step with a marked checkpoint."""
        return max(self.complete(), default=None)

    def clear_torn(self) -> tuple[int, ...]:
        """Remove checkpoints that lack their marker or a byte of what it lists; yields their steps."""
        make_folder(self.folder)
        torn = tuple(sorted(step for step, path in self._named() if not _is_whole(path)))
        for step in torn:
            self.remove(step)
        return torn

    def finish(self, step: int) -> None:
        """Mark a checkpoint that all ranks have written and synced."""
        mark_complete(self.path(step), {"step": step, "files": sizes(self.path(step))})

    def prune(self, keep: int, spared: Path | None = None) -> None:
        """Remove all marked checkpoints but the newest `keep` and the `spared` one."""
        for step in self.complete()[:-keep]:
            if self.path(step) != spared:
                self.remove(step)

    def remove(self, step: int) -> None:
        """Remove a checkpoint, its marker first, so that killed in between it counts as torn."""
        (self.path(step) / COMPLETE_MARKER).unlink(missing_ok=True)
        shutil.rmtree(self.path(step))

    def _named(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        found = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return [(int(match[1]), path) for match, path in found if match and path.is_dir()]


def _is_whole(folder: Path) -> bool:
    marker = read_marker(folder)
    if marker is None or not (folder / STATE).is_file():
        return False
    found = sizes(folder)
    return all(found.get(name) == size for name, size in marker.get("files", {}).items())
