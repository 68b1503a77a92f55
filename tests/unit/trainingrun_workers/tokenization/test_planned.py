"""The plan that lies beside the tokens: which one is followed, and when files are others than it says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainingrun_workers.contract import TokenizeSpec, TokenSource
from trainingrun_workers.errors import BadData
from trainingrun_workers.tokenization import sources
from trainingrun_workers.tokenization.plan import plan_units
from trainingrun_workers.tokenization.planned import Plan, followed, publish_plan, read_plan, replace_plan, settings_of
from trainingrun_workers.tokenization.sources import Source, inspect_source, list_source
from trainingrun_workers.volume import Volume

SPEC = TokenSource("en", "raw", "**", "text", 1.0, "tokens")
STAGE = TokenizeSpec("tokenizer", 2, 10, 4, 1, None, (SPEC,))
SETTINGS = settings_of(SPEC, STAGE)


class LocalFolder:
    """What datatrove's folder has, which is not in this environment."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def list_files(self, recursive: bool, glob_pattern: str) -> list[str]:
        return [str(one.relative_to(self._root)) for one in self._root.rglob("*") if one.is_file()]

    def info(self, path: str) -> dict[str, Any]:
        found = (self._root / path).stat()
        return {"size": found.st_size, "mtime": found.st_mtime}

    def open(self, path: str, mode: str) -> Any:
        return (self._root / path).open(mode)


def write(volume: Path, name: str, rows: int, word: str = "word") -> None:
    (volume / "raw").mkdir(exist_ok=True)
    pq.write_table(
        pa.table({"text": [f"{word} {i}" for i in range(rows)]}), volume / "raw" / name, row_group_size=10,
        use_dictionary=False,
    )  # fmt: skip


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Source]:
    monkeypatch.setattr(sources, "_opened", LocalFolder)
    for number in range(3):
        write(tmp_path, f"{number}.parquet", 40)
    return lambda: list_source(SPEC, Volume(tmp_path))


def planned(source: Source, made_by: str = "uid/0") -> Plan:
    files = inspect_source(source).files
    return Plan(files, plan_units(files, 4, None), SETTINGS, made_by, 100, 200)


def test_a_plan_is_read_as_it_was_written(listed: Callable[[], Source], tmp_path: Path) -> None:
    plan = publish_plan(tmp_path / "tokens", planned(listed()))
    found = read_plan(tmp_path / "tokens", SETTINGS)
    assert found is not None
    assert found.units == plan.units
    assert replace(found, files=()) == replace(plan, files=())
    assert [replace(one, parts=()) for one in plan.files] == list(found.files)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"format": 0}', '{"format": 1}'])
def test_a_torn_plan_or_one_of_other_settings_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "PLAN.json").write_text(content)
    assert read_plan(tmp_path, SETTINGS) is None


def test_a_plan_of_other_settings_is_none(listed: Callable[[], Source], tmp_path: Path) -> None:
    publish_plan(tmp_path / "tokens", planned(listed()))
    assert read_plan(tmp_path / "tokens", {**SETTINGS, "shards": 5}) is None


def test_of_plans_that_are_published_at_once_all_pods_follow_one(listed: Callable[[], Source], tmp_path: Path) -> None:
    plans = [planned(listed(), f"uid-{i}/0") for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        followed_by = list(pool.map(lambda plan: publish_plan(tmp_path / "tokens", plan), plans))
    assert len({one.made_by for one in followed_by}) == 1
    assert [one.name for one in (tmp_path / "tokens").iterdir()] == ["PLAN.json"]


def test_a_file_that_was_written_again_with_the_same_content_is_the_same(
    listed: Callable[[], Source], tmp_path: Path
) -> None:
    plan = planned(listed())
    (tmp_path / "raw/1.parquet").write_bytes((tmp_path / "raw/1.parquet").read_bytes())
    now = listed()
    assert now.files[1].version != plan.files[1].version
    as_planned = followed(now, plan, "uid/0")
    assert as_planned is not None
    assert as_planned[1] is plan
    assert [one.content for one in as_planned[0].files] == [one.content for one in plan.files]


def test_a_file_that_changed_ends_the_attempt_that_made_the_plan(listed: Callable[[], Source], tmp_path: Path) -> None:
    plan = planned(listed())
    write(tmp_path, "1.parquet", 55)
    with pytest.raises(BadData, match=r"The file '1\.parquet' of source 'en' changed .* bytes then") as caught:
        followed(listed(), plan, "uid/0")
    assert caught.value.reason == "SourceChanged"


def test_a_new_file_is_refused(listed: Callable[[], Source], tmp_path: Path) -> None:
    plan = planned(listed())
    write(tmp_path, "3.parquet", 10)
    with pytest.raises(BadData, match=r"new: 3\.parquet"):
        followed(listed(), plan, "uid/1")


@pytest.mark.parametrize("rows", [0, 10, 55])
def test_a_later_attempt_shares_a_mended_file_among_its_units(
    listed: Callable[[], Source], tmp_path: Path, rows: int
) -> None:
    plan = planned(listed())
    (tmp_path / "raw/1.parquet").unlink()
    if rows:
        write(tmp_path, "1.parquet", rows, "other")
    as_planned = followed(listed(), plan, "uid/1")
    assert as_planned is not None
    source, amended = as_planned
    pieces = [piece for unit in amended.units for piece in unit.pieces]
    assert sum(one.rows for one in pieces if one.path == "1.parquet") == rows
    assert [unit for unit in amended.units if unit in plan.units] == [plan.units[0], plan.units[3]]
    replace_plan(tmp_path / "tokens", amended)
    kept = read_plan(tmp_path / "tokens", SETTINGS)
    assert kept is not None
    again = followed(listed(), kept, "uid/1")
    assert again is not None
    assert again[1] is kept
    assert again[0].files == source.files
