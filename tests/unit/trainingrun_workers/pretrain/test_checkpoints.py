from pathlib import Path

import pytest

from trainingrun_workers.contract import Skip
from trainingrun_workers.pretrain.checkpoints import Checkpoints, skips_before


def save(store: Checkpoints, step: int) -> Path:
    (store.begin(step) / "weights").write_bytes(b"w" * step)
    return store.finish(step, {"tokens": 10 * step})


def test_a_checkpoint_is_there_once_it_is_finished(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "checkpoints")
    (store.begin(300) / "weights").write_bytes(b"w")

    assert store.complete() == ()
    store.finish(300, {"tokens": 3000})
    assert store.newest() == 300
    assert store.marker(300) == {"step": 300, "tokens": 3000, "files": {"weights": 1}}


def test_the_newest_is_the_highest_complete_one(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (0, 1200, 300, 100_000_000):
        save(store, step)
    (store.path(100_000_000) / "COMPLETE.json").unlink()

    assert store.complete() == (0, 300, 1200)
    assert store.newest() == 1200
    assert Checkpoints(tmp_path / "nothing").newest() is None


def test_a_killed_save_leaves_nothing_to_be_read_and_is_cleared_away(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    save(store, 300)
    (store.begin(600) / "weights").write_bytes(b"half")

    assert store.complete() == (300,)
    assert store.set_torn_aside() == ()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000300"]


def test_a_checkpoint_without_its_marker_or_with_a_shorter_file_is_set_aside(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (300, 600, 900):
        save(store, step)
    (store.path(600) / "COMPLETE.json").unlink()
    (store.path(900) / "weights").write_bytes(b"w")

    assert store.set_torn_aside() == ("torn-step-00000600-0", "torn-step-00000900-0")
    assert store.complete() == (300,)


def test_a_step_that_is_torn_twice_keeps_both(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for number in range(2):
        save(store, 300)
        (store.path(300) / "weights").unlink()
        assert store.set_torn_aside() == (f"torn-step-00000300-{number}",)


def test_a_removed_checkpoint_is_gone_under_any_name(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    save(store, 300)
    store.remove(300)

    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_data_that_are_skipped_since_is_set_aside_and_not_lost(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    for step in (0, 300, 600, 900):
        save(store, step)

    assert store.set_skipped_aside([Skip(300, 40)]) == (600, 900)
    assert store.complete() == (0, 300)
    assert (tmp_path / "skipped-step-00000900-0/weights").is_file()


def test_a_checkpoint_that_was_made_after_the_skip_is_gone_on_from(tmp_path: Path) -> None:
    store, skips = Checkpoints(tmp_path), [Skip(300, 40), Skip(700, 20)]
    for step in (300, 600, 900):
        (store.begin(step) / "weights").write_bytes(b"w")
        store.finish(step, {"skips": skips_before(skips, step)})

    assert store.set_skipped_aside(skips) == ()
    assert store.set_skipped_aside([*skips, Skip(900, 5)]) == ()
    assert store.set_skipped_aside([Skip(300, 40), Skip(600, 20)]) == (900,)


def test_a_skip_of_no_data_sets_aside_what_came_after_it_once(tmp_path: Path) -> None:
    store, back = Checkpoints(tmp_path), [Skip(300, 0)]
    for step in (0, 300, 600):
        save(store, step)
    assert store.set_skipped_aside(back) == (600,)
    store.begin(600)
    store.finish(600, {"skips": skips_before(back, 600)})
    assert store.set_skipped_aside(back) == ()
    assert store.complete() == (0, 300, 600)


def test_an_attempt_that_another_has_replaced_finishes_no_checkpoint(tmp_path: Path) -> None:
    late, now = Checkpoints(tmp_path, "uid-a1"), Checkpoints(tmp_path, "uid-a2")
    (late.begin(300) / "weights").write_bytes(b"late")
    now.set_torn_aside()
    with pytest.raises(FileNotFoundError):
        late.finish(300, {})

    (now.begin(300) / "weights").write_bytes(b"now")
    (late.begin(300) / "weights").write_bytes(b"late")
    now.finish(300, {})
    with pytest.raises(OSError, match="not empty"):
        late.finish(300, {})
    assert (now.path(300) / "weights").read_bytes() == b"now"
