"""Pods that nobody could end, because their node was cut off, wake up when another attempt has taken their place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.frozen import content, freeze, wake
from engine.pretrain_runs import RUN_FOLDER, PretrainRun, wait_until
from engine.slow_disk import slow_disk


def is_training(run: PretrainRun) -> bool:
    return (run.store.newest() or 0) >= 10 and not list(run.store.folder.glob(".unfinished-*"))


def is_saving(run: PretrainRun) -> bool:
    return (run.store.newest() or 0) >= 10 and bool(list(run.store.folder.glob(".unfinished-*-step-000000[2-9]?")))


@pytest.mark.parametrize("at", [pytest.param(is_training, marks=pytest.mark.long), is_saving])
def test_a_gang_that_wakes_after_another_attempt_has_begun_changes_nothing(
    pair: PretrainRun, tmp_path: Path, at: Callable[[PretrainRun], bool]
) -> None:
    old = pair.start(**slow_disk(tmp_path / "slow", 0.005))
    wait_until(lambda: at(pair) or old.process.poll() is not None)
    frozen = freeze(old)
    newest = pair.store.newest()
    assert newest is not None

    pair.end_early(newest + 25)
    pair.spec["keep_last"] = 2
    assert pair.run().reason == "Completed"
    before = content(pair.volume)
    wake(frozen)
    result = old.wait()

    assert (result.exit_code, result.reason) == (75, "Fenced")
    changed = {name for name, checksum in content(pair.volume).items() if before.pop(name, None) != checksum}
    assert all("/snapshots/.pretrain-a0-0.json." in name for name in before), "nothing is gone but what it was writing"
    own = ("results/pretrain-a0-0.json", "snapshots/pretrain-a0-0.json", "logs/pretrain-a0-0.log")
    assert f"{RUN_FOLDER}/{own[0]}" in changed
    assert changed <= {f"{RUN_FOLDER}/{words}" for words in own}, "its own words"


def test_an_attempt_that_starts_after_a_later_one_ends_at_once(run: PretrainRun) -> None:
    run.attempt = 5
    late = run.start()
    wait_until(lambda: (run.folder / "claims").is_dir() and bool(list((run.folder / "claims").iterdir())))
    run.attempt = 4
    result = run.start().wait()

    assert (result.exit_code, result.reason) == (75, "Fenced")
    assert "Attempt 4 of run uid-1 no longer holds" in result.message
    assert late.wait().reason == "Completed"
