"""Taking folders away in two steps, a rename and the deletion, so that what is still wanted can be put back between.

Both work on the one volume: a rename costs nothing however large the folder is, and a folder is never half gone
where a run would look for it.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.artifacts.folders import ARTIFACTS, REMOVED, is_folder, opened, parse, parse_batch
from trainingrun_workers.artifacts.listing import measure

GONE: Final = "it is not there, or is no folder"


def remove(root: Path, batch: str, paths: Iterable[str], older_than: float, now: float | None = None) -> dict[str, Any]:
    """Rename folders to `.removed/<batch>/<kind>/<hash>`; those with something younger than `older_than` s stay.

    BadConfig, before anything is done, where one of the paths is no `artifacts/<kind>/<hash>`.
    """
    now = time.time() if now is None else now

    def away(kind: str, name: str) -> str | None:
        with opened(root, ARTIFACTS, kind) as source:
            if not is_folder(source, name):
                return GONE
            found = measure(root / ARTIFACTS / kind / name)
            if found is None:
                return GONE
            if now - found.newest < older_than:
                return f"something in it changed {max(now - found.newest, 0):.0f} s ago"
            with opened(root, REMOVED, batch, kind, make=True) as target:
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        return None

    parse_batch(batch)
    return {"batch": batch, **_each(paths, away)}


def restore(root: Path, batch: str, paths: Iterable[str]) -> dict[str, Any]:
    """Rename folders back to where they were; one whose place was taken meanwhile is skipped and the new one stays."""

    def back(kind: str, name: str) -> str | None:
        with opened(root, REMOVED, batch, kind) as source, opened(root, ARTIFACTS, kind, make=True) as target:
            if not is_folder(source, name):
                return GONE
            try:  # an empty folder, as a stage begins with, is replaced
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            except OSError:
                if not _there(target, name):
                    raise
                return "a run has begun to make it again in its old place"
        return None

    parse_batch(batch)
    return {"batch": batch, **_each(paths, back)}


def purge(root: Path, batches: Iterable[str]) -> dict[str, Any]:
    """Delete what was removed under these names; links in it are deleted, what they point to stays."""
    names = [parse_batch(one) for one in batches]
    purged: list[str] = []
    skipped: list[dict[str, str]] = []
    for name in names:
        try:
            with opened(root, REMOVED) as folder:
                shutil.rmtree(name, dir_fd=folder)
            purged.append(name)
        except FileNotFoundError:
            purged.append(name)  # by another command
        except OSError as error:
            skipped.append({"path": f"{REMOVED}/{name}", "why": error.strerror or str(error)})
    with contextlib.suppress(OSError):
        (root / REMOVED).rmdir()  # if nothing is in it
    return {"purged": purged, "skipped": skipped}


def _each(paths: Iterable[str], act: Callable[[str, str], str | None]) -> dict[str, Any]:
    """Which paths `act` was done to, and why not to the others."""
    parsed = [(path, *parse(path)) for path in dict.fromkeys(paths)]
    done: list[str] = []
    skipped: list[dict[str, str]] = []
    for path, kind, name in parsed:
        try:
            why = act(kind, name)
        except FileNotFoundError:
            why = GONE
        except OSError as error:
            why = error.strerror or str(error)
        if why is None:
            done.append(path)
        else:
            skipped.append({"path": path, "why": why})
    return {"done": done, "skipped": skipped}


def _there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
