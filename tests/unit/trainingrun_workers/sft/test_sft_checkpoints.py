from pathlib import Path

import pytest

from trainingrun_workers.sft.checkpoints import STATE, Checkpoints


def write(store: Checkpoints, step: int, attempt: str = "uid-a1") -> Path:
    """What the attempt's trainer leaves of a step; yields its workspace."""
    folder = store.workspace(attempt) / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w" * step)
    (folder / STATE).write_text("{}")
    return folder.parent


def save(store: Checkpoints, step: int) -> None:
    store.finish(step, write(store, step))


def test_a_checkpoint_counts_once_it_is_marked(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    workspace = write(store, 30)

    assert store.newest() is None
    store.finish(30, workspace)
    assert store.newest() == 30


def test_what_is_not_whole_is_cleared_away(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (9, 10, 11, 12):
        save(store, step)
    (store.path(10) / "model.safetensors").write_bytes(b"w")  # cut short
    (store.path(11) / STATE).unlink()
    (store.path(12) / "COMPLETE.json").write_text('{"files": ')
    store.path(99).mkdir()  # as a process leaves it that is killed at once

    assert store.clear_torn() == (10, 11, 12, 99)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-9"]


def test_nothing_is_cleared_where_nothing_is(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "checkpoints")

    assert store.clear_torn() == ()
    assert store.newest() is None


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (10, 20, 30, 40):
        save(store, step)

    store.prune(2, spared=store.path(10))

    assert store.complete() == (10, 30, 40)


def test_what_is_written_is_not_pruned_and_goes_when_the_next_attempt_begins(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (10, 20):
        save(store, step)
    write(store, 30)
    store.prune(1)

    assert (store.workspace("uid-a1") / "checkpoint-30").is_dir()
    assert store.clear_torn() == ()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-20"]


def test_an_attempt_that_another_has_replaced_finishes_nothing(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    late = write(store, 30, "uid-a1")
    store.clear_torn()
    with pytest.raises(FileNotFoundError):
        store.finish(30, late)

    save(store, 30)
    write(store, 30, "uid-a1")
    with pytest.raises(OSError, match="not empty"):
        store.finish(30, late)
