"""The data sets of a stage as they lie on the volume: there, readable, and with the fields that are asked for.

Axolotl says of a row that it can't use neither its file nor its line, so rows of JSON are looked at before it starts.
Data of the Hub and other stores are left to Axolotl.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadData
from trainingrun_workers.sft import conversations, preferences, settings, texts
from trainingrun_workers.volume import Volume

_TABLES: Final = (".parquet", ".arrow", ".csv", ".txt")  # Axolotl reads all other files as JSON
_PLAIN: Final = (".jsonl", ".json", "")  # not compressed


def files(config: dict[str, Any], volume: Volume) -> dict[str, list[int]]:
    """Size in bytes and time of change in nanoseconds of each file on the volume, by its path there.

    BadData where a data set is missing or empty.
    """
    found: dict[str, list[int]] = {}
    for _, paths in _local(config, volume):
        for path in paths:
            status = path.stat()
            found[str(path.relative_to(volume.root))] = [status.st_size, status.st_mtime_ns]
    return found


def check(config: dict[str, Any], volume: Volume) -> None:
    """BadData that names file and line of the first row that can't be trained on."""
    pairs = preferences.is_preferences(config)
    for item, paths in _local(config, volume):
        rule = _rule(item, config, pairs)
        for path in paths:
            shown = str(path.relative_to(volume.root))
            if _is_json(item, path):
                conversations.check_json(path, shown, rule)
            elif path.suffix == ".parquet":
                conversations.check_parquet(path, shown, rule, rows=pairs)


def _rule(item: dict[str, Any], config: dict[str, Any], pairs: bool) -> conversations.Rule:
    if pairs:
        return preferences.Pairs.of(item, config)
    return texts.Texts.of(item) if item.get("type") == texts.TYPE else conversations.Fields.of(item, config)


def _local(config: dict[str, Any], volume: Volume) -> Iterator[tuple[dict[str, Any], list[Path]]]:
    for key in ("datasets", "test_datasets"):
        for number, item in enumerate(config.get(key) or ()):
            if not settings.is_remote(item["path"]):
                yield item, _files(f"{key}[{number}]", item, volume)


def _files(name: str, item: dict[str, Any], volume: Volume) -> list[Path]:
    path = volume.path(item["path"])
    wanted = item.get("data_files") or ()
    if path.is_dir() and wanted:
        names = [wanted] if isinstance(wanted, str) else wanted
        found = [volume.path(str(path / one)) for one in names]
    elif path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
    else:
        found = [path]
    missing = [one for one in found if not one.is_file()]
    if missing or not found:
        where = str((missing or [path])[0].relative_to(volume.root))
        raise BadData(
            "DatasetMissing", f"{name} is to be read from {where}, but the volume has no such file: put it there."
        )
    if not any(one.stat().st_size for one in found):
        raise BadData("DatasetEmpty", f"{name} is to be read from {item['path']}, which is empty: put rows into it.")
    return found


def _is_json(item: dict[str, Any], path: Path) -> bool:
    if item.get("ds_type"):
        is_json = item["ds_type"] == "json"
    else:
        is_json = path.suffix in (".jsonl", ".json") or not any(one in path.name for one in _TABLES)
    # A data set that `datasets` has saved as a folder has JSON files that are no rows.
    is_state = path.name in ("state.json", "dataset_info.json", "dataset_dict.json")
    nested = item.get("field") and item.get("type") != texts.TYPE  # whose field is the text's
    return is_json and path.suffix in _PLAIN and not is_state and not nested
