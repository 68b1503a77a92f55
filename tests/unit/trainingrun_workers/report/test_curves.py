"""Training curves for drawing: thinned, and never without their spikes."""

import json
from pathlib import Path

from trainingrun_workers.report.curves import POINTS, drawn, figures, points, read_curve, thinned


def test_a_spike_of_a_long_run_is_still_there() -> None:
    long = [(step, 3.0 if step != 123_457 else 9.0) for step in range(200_000)]
    drawn = thinned(long, POINTS)
    assert len(drawn) <= POINTS
    assert (123_457, 9.0) in drawn
    assert [step for step, _ in drawn] == sorted({step for step, _ in drawn})


def test_a_short_curve_is_left_alone_and_what_is_no_number_is_left_out() -> None:
    lines = [{"step": 1, "loss": 8.0}, {"step": 2, "loss": None}, {"step": 3, "loss": float("nan")}, {"step": 4}]
    assert points(lines, "loss") == [(1, 8.0)]


def test_the_figures_of_a_curve(tmp_path: Path) -> None:
    lines = [
        {"step": 10, "loss": 8.0, "tokens": 1000, "tokensPerSecond": 50.0},
        {"step": 20, "loss": 4.0, "tokens": 2000, "tokensPerSecond": 70.0},
        {"step": 30, "loss": 4.5, "tokens": 3000, "tokensPerSecond": 90.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 40, "lo')
    assert figures(read_curve(tmp_path)) == {
        "steps": "30", "tokens": "3,000", "loss": "8.000 → 4.500, at best 4.000", "tokens/s, median": "70",
    }  # fmt: skip


def test_a_long_curve_is_thinned_on_its_way_as_it_would_be_at_once() -> None:
    lines = [{"step": step, "loss": float(step * 7919 % 1009), "tokens": step * 10} for step in range(50_000)]
    found = drawn(iter(lines), len(lines), POINTS)
    assert set(found) == {"loss"}
    assert [(step, value) for step, value, _ in found["loss"]] == points(lines, "loss")
    assert all(tokens == step * 10 for step, _, tokens in found["loss"])
    assert [step for step, *_ in drawn(lines[:5], 5, POINTS)["loss"]] == [0, 1, 2, 3, 4]


def test_a_stage_without_a_curve_has_no_figures(tmp_path: Path) -> None:
    assert figures(read_curve(tmp_path)) == {}
