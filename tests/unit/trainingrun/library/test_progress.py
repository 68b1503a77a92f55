"""How far a run is, and its curve as rows."""

import builtins
from typing import Any

import pytest

from builders import World, a_training_run
from trainingrun.library import curves
from trainingrun.library.progress import progress, told


def test_a_run_that_nobody_has_seen_yet_has_no_stages() -> None:
    assert progress(a_training_run()) == []
    assert told(a_training_run()) == "Pending"


def test_each_stage_says_how_far_it_is() -> None:
    world = World().settle().completes("tokenize").settle()
    world.reports("pretrain", step=300, total=900, loss=5.5, tokens_per_second=8000.0, eta_seconds=75.0).settle()
    stages = {one.stage: one for one in progress(world.run)}
    assert stages["tokenize"].fraction == 1.0
    assert stages["pretrain"].fraction == pytest.approx(1 / 3)
    assert stages["release"].fraction is None
    assert str(stages["pretrain"]) == "pretrain: Running 300/900 steps, loss 5.500"
    assert told(world.run) == "Running, pretrain: Running 300/900 steps, loss 5.500"


def test_series_become_rows_by_step() -> None:
    found = curves.rows({"loss": [(10, 8.0, 100), (20, 7.0, 200)], "gradientNorm": [(20, 1.5, 200), (30, 1.4, None)]})
    assert found == [
        {"step": 10, "loss": 8.0, "tokens": 100},
        {"step": 20, "loss": 7.0, "gradient_norm": 1.5, "tokens": 200},
        {"step": 30, "gradient_norm": 1.4},
    ]


def test_rows_are_a_frame_by_step() -> None:
    frame = curves.framed([{"step": 10, "loss": 8.0}, {"step": 20, "gradient_norm": 1.5}], curves.COLUMNS)
    assert list(frame.index) == [10, 20]
    assert list(frame.columns) == ["loss", "learning_rate", "gradient_norm", "tokens_per_second", "tokens"]
    assert frame.loss.loc[10] == 8.0 and frame.gradient_norm.isna().loc[10]
    assert curves.framed([], curves.COLUMNS).empty


def test_without_pandas_rows_stay_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert curves.framed([{"step": 10, "loss": 8.0}], curves.COLUMNS) == [{"step": 10, "loss": 8.0}]
