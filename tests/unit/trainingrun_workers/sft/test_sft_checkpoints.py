from pathlib import Path

from trainingrun_workers.sft.checkpoints import STATE, Checkpoints


def write(store: Checkpoints, step: int) -> Path:
    folder = store.path(step)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w" * step)
    (folder / STATE).write_text("{}")
    return folder


def test_a_checkpoint_counts_once_it_is_marked(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    write(store, 30)

    assert store.newest() is None
    store.finish(30)
    assert store.newest() == 30


def test_what_is_not_whole_is_cleared_away(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (9, 10, 11, 12):
        write(store, step)
        store.finish(step)
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
        write(store, step)
        store.finish(step)

    store.prune(2, spared=store.path(10))

    assert store.complete() == (10, 30, 40)


def test_a_checkpoint_without_its_marker_is_not_pruned_while_it_is_written(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (10, 20):
        write(store, step)
        store.finish(step)
    write(store, 30)

    store.prune(1)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-20", "checkpoint-30"]
