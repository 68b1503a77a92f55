"""The trainer's checkpoints, `<folder>/checkpoint-30` and so on, of which only marked ones are read.

The trainer writes a checkpoint file by file under its final name and takes the one with the highest number for the
newest, whole or not. So each attempt's trainer writes into a folder of its own; once all ranks have written and synced
a checkpoint, it is given a COMPLETE_MARKER with the sizes of its files and moved to where the next attempt looks.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Final

from trainingrun_workers.contract import COMPLETE_MARKER
from trainingrun_workers.pretrain.checkpoints import discard, sizes
from trainingrun_workers.volume import make_folder, read_marker, sync_file, sync_folder

STATE: Final = "trainer_state.json"
_WORKSPACE: Final = ".attempt-"
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
        """Remove checkpoints that lack their marker or a byte of what it lists; yields their steps.

        All workspaces go as well: under another name first, so that whoever still writes there can't finish.
        """
        make_folder(self.folder)
        for path in self.folder.glob(f"{_WORKSPACE}*"):
            discard(path, f"{_WORKSPACE}removed-")
        torn = tuple(sorted(step for step, path in self._named() if not _is_whole(path)))
        for step in torn:
            self.remove(step)
        return torn

    def workspace(self, attempt: str) -> Path:
        """The folder that an attempt's trainer writes into; that of any other attempt goes with `clear_torn`."""
        return self.folder / f"{_WORKSPACE}{attempt}"

    def finish(self, step: int, workspace: Path) -> None:
        """Mark a checkpoint that all ranks have written and synced, and move it out of their workspace.

        OSError where another attempt has cleared that away, or has made a checkpoint of that step.
        """
        made = workspace / self.path(step).name
        content = json.dumps({"step": step, "files": sizes(made)}, sort_keys=True, indent=1) + "\n"
        (made / COMPLETE_MARKER).write_text(content)
        sync_file(made / COMPLETE_MARKER)
        sync_folder(made)
        made.rename(self.path(step))
        sync_folder(self.folder)

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
