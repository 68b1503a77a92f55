"""Curves out of logs and reports: whole over restarts, thinned without losing a spike."""

import ast
import re
from pathlib import Path

import pytest

from trainingrun.commands.dashboard import curves

WORKERS = Path(__file__).resolve().parents[5] / "workers" / "trainingrun_workers"
LINE = "2027-01-15T08:00:00.1Z 08:00:00 INFO step 10/900  loss 8.3102  lr 0.00045  grad norm 2.62  6627 tokens/s"


def test_a_logged_line_is_a_point() -> None:
    assert curves.of_log([LINE, "something else", ""]) == [
        {"step": 10, "loss": 8.3102, "learningRate": 0.00045, "gradientNorm": 2.62, "tokensPerSecond": 6627.0}
    ]


@pytest.mark.parametrize("module", ["pretrain/loop.py", "sft/record.py"])
def test_what_the_workers_log_is_understood(module: str) -> None:
    texts = [one.value for one in ast.walk(ast.parse((WORKERS / module).read_text())) if isinstance(one, ast.Constant)]
    (logged,) = [text for text in texts if isinstance(text, str) and text.startswith("step %d")]
    assert re.findall(r"%", logged), logged
    (point,) = curves.of_log([logged % (30, 900, 2.5, 3e-4, float("nan"), 12345.6)])
    assert point == {"step": 30, "loss": 2.5, "learningRate": 3e-4, "gradientNorm": None, "tokensPerSecond": 12346.0}


def test_a_later_attempt_takes_over_where_it_begins() -> None:
    first = [{"step": step, "loss": 1.0} for step in (10, 20, 30, 40)]
    second = [{"step": step, "loss": 2.0} for step in (25, 35)]
    assert [(one["step"], one["loss"]) for one in curves.spliced([first, [], second])] == [
        (10, 1.0), (20, 1.0), (25, 2.0), (35, 2.0),
    ]  # fmt: skip


def test_a_report_fills_in_what_the_log_does_not_tell() -> None:
    found = curves.merged([{"step": 1, "loss": 3.0, "tokensPerSecond": 5.0}], [{"step": 1, "loss": 3.1, "x": None}])
    assert found == [{"step": 1, "loss": 3.1, "tokensPerSecond": 5.0}]


def test_many_points_are_thinned_and_the_spike_stays() -> None:
    points = [{"step": step, "loss": 9.0 if step == 54_321 else 2.0 + step % 7 / 100} for step in range(100_000)]
    (line,) = curves.series(points)
    assert len(line["points"]) <= curves.MOST
    assert (54_321, 9.0) in line["points"]
    assert line["all"] == 100_000


def test_what_is_kept_between_looks_is_bounded_and_has_both_ends() -> None:
    points = [{"step": step} for step in range(50_000)]
    kept = curves.bounded(points)
    assert len(kept) <= curves.KEPT
    assert (kept[0], kept[-1]) == (points[0], points[-1])


def test_without_points_there_is_no_line() -> None:
    assert curves.series([]) == curves.series([{"step": 1, "loss": None}]) == []
