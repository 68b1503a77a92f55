"""An sft gang that nobody could end wakes up when another attempt has taken its place."""

import dataclasses
from pathlib import Path

import pytest

from engine.frozen import content, freeze, wake
from engine.sft_runs import FOLDER, STEPS, curve, make_stage, spec, start
from engine.tuning_runs import SECONDS, TuningRuns
from trainingrun_workers.contract import ExitCode


@pytest.mark.long
def test_a_gang_that_wakes_after_another_attempt_is_done_changes_nothing(tuning: TuningRuns, tmp_path: Path) -> None:
    run = make_stage(tuning.python, tuning.base, tmp_path)
    patient = dataclasses.replace(spec(), hang_timeout=3600)  # a slow machine is not to make a hang of the other's time
    old = start(run, until_step=13, given=patient)
    try:
        frozen = freeze(old)
        assert run.run(spec(), SECONDS).reason == "Completed"
        before = content(run.volume)
        assert f"{FOLDER}/model/model.safetensors" in before
        wake(frozen)
        result = old.wait()
    finally:
        old.end()

    assert (result.exit_code, result.reason) == (ExitCode.RETRY, "Fenced")
    changed = {name for name, checksum in content(run.volume).items() if before.pop(name, None) != checksum}
    assert all("/snapshots/.sft-a1-0.json." in name for name in before), "nothing is gone but what it was writing"
    own = ("results/sft-a1-0.json", "snapshots/sft-a1-0.json", "logs/sft-a1-0.log")
    assert f"runs/here/tiny/{own[0]}" in changed
    assert changed <= {f"runs/here/tiny/{words}" for words in own}, "its own words"
    assert [line["step"] for line in curve(run)] == list(range(1, STEPS + 1))
