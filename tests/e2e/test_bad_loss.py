"""A run whose loss goes bad on the real cluster: it goes back, leaves out data, and says so when that does not help."""

from collections.abc import Callable

from e2e.trial import Trial


def test_a_run_that_diverges_whatever_the_data_leaves_out_some_and_then_says_so(trial: Callable[..., Trial]) -> None:
    run = trial("diverges", steps=60, seed=231)
    pretrain = run.spec["pretrain"]
    pretrain["badLoss"] = {"policy": "skip", "maxSkips": 2}
    pretrain["config"]["optimizer"]["learning_rate_scheduler"] |= {"learning_rate": 1e38, "lr_warmup_steps": 1}
    run.apply()
    run.until_stage("pretrain", "Failed", 300)

    stage = run.stage("pretrain")
    assert (stage["attempt"], stage["reason"], stage.get("restarts", 0)) == (3, "NonFiniteLoss", 0)
    assert "maxSkips is 2" in stage["message"]
    (left_out,) = stage["skips"]
    assert (left_out["step"], left_out["times"]) == (0, 2)
    assert left_out["steps"] > 1
    causes = [one["cause"] for one in run.status()["attempts"] if one["stage"] == "pretrain"]
    assert causes == ["BadLoss"] * 3
    assert "DataSkipped" in run.describe()
    assert run.status()["gpuHours"] == {"useful": 0, "lost": {}}, "a run on CPU"
