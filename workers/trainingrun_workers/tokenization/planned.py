"""The plan of a source's token files as it is kept beside them, so that all pods follow the same one.

PLAN.json: {"format", "settings", "madeBy", "files": [[path, size, version, content]], "units": [{"pieces":
[[place in files, first, end, rows, textBytes]], "limit"}], "estimatedTokens", "estimatedBytes"}.
"""

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import get_ident
from typing import Any, Final

from trainingrun_workers.contract import TokenizeSpec, TokenSource
from trainingrun_workers.errors import BadData
from trainingrun_workers.tokenization.plan import InputFile, Piece, Unit, parts_of, with_other_parts
from trainingrun_workers.tokenization.sources import Source, changed, look_into
from trainingrun_workers.volume import make_folder, sync_file, sync_folder, write_atomic

PLAN_FILE: Final = "PLAN.json"
FORMAT: Final = 1
LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """Which units there are, of which files, and what they were expected to give."""

    files: tuple[InputFile, ...]  # without their parts
    units: tuple[Unit, ...]
    settings: dict[str, Any]
    made_by: str  # the run's uid and the attempt
    estimated_tokens: int = 0
    estimated_size: int = 0  # bytes on the volume

    def to_json(self) -> str:
        """The plan as it lies in its folder."""
        places = {one.path: place for place, one in enumerate(self.files)}
        units = [
            {"pieces": [[places[p.path], p.first, p.end, p.rows, p.text_bytes] for p in one.pieces], "limit": one.limit}
            for one in self.units
        ]
        document = {
            "format": FORMAT, "settings": self.settings, "madeBy": self.made_by,
            "files": [[one.path, one.size, one.version, one.content] for one in self.files], "units": units,
            "estimatedTokens": self.estimated_tokens, "estimatedBytes": self.estimated_size,
        }  # fmt: skip
        return json.dumps(document, separators=(",", ":")) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """The plan of a file's text; ValueError, TypeError or KeyError where it is none of this format."""
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']}")
        files = tuple(InputFile(path, size, version, content, ()) for path, size, version, content in raw["files"])
        units = tuple(
            Unit(index, tuple(Piece(files[place].path, *rest) for place, *rest in one["pieces"]), one["limit"])
            for index, one in enumerate(raw["units"])
        )
        return cls(files, units, raw["settings"], raw["madeBy"], raw["estimatedTokens"], raw["estimatedBytes"])


def settings_of(spec: TokenSource, stage: TokenizeSpec) -> dict[str, Any]:
    """What a plan follows besides the files."""
    return {
        "shards": stage.shards, "limit": spec.limit, "textKey": spec.text_key, "scoreKey": spec.score_key,
        "minScore": spec.min_score,
    }  # fmt: skip


def read_plan(folder: Path, settings: dict[str, Any]) -> Plan | None:
    """The folder's plan; None where there is none of these settings."""
    try:
        plan = Plan.from_json((folder / PLAN_FILE).read_text())
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, IndexError) as error:
        LOGGER.warning("The plan in %s can't be read and is made again: %s", folder, error)
        return None
    return plan if plan.settings == settings else None


def publish_plan(folder: Path, plan: Plan) -> Plan:
    """Keep a first plan: the one of the pod that is first wins, and is the one yielded."""
    make_folder(folder)
    temporary = folder / f".{PLAN_FILE}.{os.uname().nodename}-{os.getpid()}-{get_ident()}.tmp"
    write_atomic(temporary, plan.to_json())
    try:
        os.link(temporary, folder / PLAN_FILE)  # unlike a rename, replaces nothing
        sync_file(folder / PLAN_FILE)
        sync_folder(folder)
    except FileExistsError:
        kept = read_plan(folder, plan.settings)
        if kept is not None:
            return kept
        temporary.replace(folder / PLAN_FILE)
    finally:
        temporary.unlink(missing_ok=True)
    return plan


def replace_plan(folder: Path, plan: Plan) -> None:
    """Keep a plan in the place of an older one."""
    write_atomic(folder / PLAN_FILE, plan.to_json())


def followed(source: Source, plan: Plan, made_by: str) -> tuple[Source, Plan] | None:
    """The source's files as the plan knows them, and the plan to follow; None where it has to be made anew.

    A file that was written again with the same content stays as it is planned. Where files are others, the attempt
    that the plan was made by ends with BadData: its pods must not each see another source. A later attempt, which
    somebody has started after mending something, shares the new content among the units that had the old one.
    """
    new = sorted({one.path for one in source.files} - {one.path for one in plan.files})
    if new:
        raise BadData(
            "SourceChanged",
            f"The source {source.name!r} has files that were not there when the work on it began (new: "
            f"{', '.join(new[:3])}{' …' if new[3:] else ''}): put them into a source of their own.",
        )
    altered = _altered(source, plan)
    if not altered:
        return source.with_contents(plan.files), plan
    if plan.made_by == made_by:
        raise changed(source, altered[0].path, _how(source, plan, altered[0].path))
    if plan.settings["limit"] is not None:
        return None
    return _amended(source, plan, altered, made_by)


def _altered(source: Source, plan: Plan) -> list[InputFile]:
    """Files whose content is another one, as they are now; those that are gone have size -1."""
    now = source.by_path
    altered = []
    for old in plan.files:
        one = now.get(old.path)
        if one is None:
            altered.append(InputFile(old.path, -1, "", "", ()))
        elif (one.size, one.version) != (old.size, old.version):
            looked = look_into(source, one)
            if (looked.size, looked.content) != (old.size, old.content):
                altered.append(looked)
    return altered


def _amended(source: Source, plan: Plan, altered: Sequence[InputFile], made_by: str) -> tuple[Source, Plan]:
    units = plan.units
    for one in altered:
        LOGGER.warning("Source %s: %s changed since the last attempt; its units are made again", source.name, one.path)
        held = sum(any(piece.path == one.path for piece in unit.pieces) for unit in units)
        units = with_other_parts(units, one.path, [part for _, part in parts_of([one], max(1, held))])
    now = source.with_contents((*plan.files, *altered))
    return now, replace(plan, files=now.files, units=units, made_by=made_by)


def _how(source: Source, plan: Plan, path: str) -> str:
    old = next(one for one in plan.files if one.path == path)
    now = source.by_path.get(path)
    return f"{old.size:,} bytes then, {'gone' if now is None else f'{now.size:,} bytes'} now"
