"""Curves and scores of runs off their volume: in a terminal, as a PNG and as a page that needs nothing else."""

import json
import re
import struct
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trainingrun.cli import main
from trainingrun.commands.plot.axes import Axis, axis, called
from trainingrun.commands.plot.panels import Line, Panel
from trainingrun.commands.plot.svg import drawn as svg
from trainingrun.commands.plot.terminal import HEIGHT, drawn, plain
from unit.trainingrun.commands.world import World

Capture = pytest.CaptureFixture[str]
TASKS = ("arc/acc", "hellaswag/acc", "held_out/bits_per_byte")


def with_metrics(world: World, name: str, start: float = 9.0, steps: int = 300, **spec: Any) -> None:
    """A run that has trained so many steps, the newest checkpoint evaluated."""
    curve, scores = f"artifacts/pretrain/{name}", f"artifacts/evaluate/{name}"
    lines = [
        {"step": step, "loss": start - step / 100, "learningRate": 1e-3, "gradientNorm": 1.5, "tokens": step * 1024,
         "tokensPerSecond": 8000.0 + step}
        for step in range(1, steps + 1)
    ]  # fmt: skip
    world.put(f"{curve}/metrics.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    told = [{"step": step, "model": "m", "stderr": {}, "scores": dict.fromkeys(TASKS, 0.5 + step / 1000)} for step in
            (0, 100, 200)]  # fmt: skip
    world.put(f"{scores}/progression.json", json.dumps({"steps": told, "series": {}}))
    stages = [
        {"name": "pretrain", "kind": "pretrain", "phase": "Running", "folder": curve},
        {"name": "evaluate", "kind": "evaluate", "phase": "Running", "folder": scores},
        {
            "name": "sft-it",
            "kind": "sft",
            "phase": "Waiting",
            "folder": f"artifacts/sft/{name}",
            "message": "It waits.",
        },
    ]
    world.add_run(name, {"phase": "Running", "stages": stages}, **spec)


def test_the_curves_of_a_run_in_a_terminal(world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with_metrics(world, "tiny")
    assert main(["plot", "tiny"]) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert max(map(len, lines)) <= 60
    titles = [line for line in lines if line and not line.startswith(" ") and "●" not in line]
    assert titles == ["loss", "learning rate", "gradient norm", "tokens/s", "acc", "bits per byte"]
    assert "● arc  ● hellaswag" in lines
    assert "300 steps" in said and "\x1b" not in said
    assert (world.visits, world.left) == (1, [])


def test_several_runs_over_tokens_are_one_figure(world: World, capsys: Capture) -> None:
    with_metrics(world, "one")
    with_metrics(world, "two", start=8.0)
    assert main(["plot", "one", "two", "--over", "tokens", "--only", "loss"]) == 0
    said = capsys.readouterr().out
    assert said.count("● one  ● two") == 1
    assert "307.2k tokens" in said
    assert world.visits == 1


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_scripts_get_the_points_and_the_figures(world: World, capsys: Capture, form: str, read: Any) -> None:
    with_metrics(world, "one")
    with_metrics(world, "two", start=8.0)
    assert main(["plot", "one", "two", "-o", form]) == 0
    told = read(capsys.readouterr().out)
    assert (told["stage"], told["over"]) == ("pretrain", "steps")
    assert {name: figures["lastLoss"] for name, figures in told["figures"].items()} == {"one": 6.0, "two": 5.0}
    loss = next(one for one in told["panels"] if one["title"] == "loss")
    assert [(line["label"], len(line["points"]), line["points"][-1]) for line in loss["lines"]] == [
        ("one", 300, [300.0, 6.0]), ("two", 300, [300.0, 5.0]),
    ]  # fmt: skip
    assert len(told["panels"]) == 7
    assert main(["plot", "one", "--only", "nothing", "-o", form]) == 4
    assert capsys.readouterr().out == ""


def test_the_page_is_whole_in_itself(world: World, tmp_path: Path, capsys: Capture) -> None:
    with_metrics(world, "one")
    with_metrics(world, "two", start=8.0)
    page = tmp_path / "out.html"
    assert main(["plot", "one", "two", "-o", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}: 7 panels of one, two.\n"
    text = page.read_text()
    assert text.count("<svg") == 7
    assert not re.search(
        r"<(script|img|link|iframe|object)\b|@import|url\((?!#)|https?://(?!www\.w3\.org/2000/svg)", text
    )
    assert "<th>last loss</th><td>6</td><td>5</td>" in text
    assert [one.name for one in tmp_path.glob("*out*")] == ["out.html"]


def test_the_picture_is_a_png_with_every_panel(world: World, tmp_path: Path) -> None:
    with_metrics(world, "one")
    assert main(["plot", "one", "-o", str(tmp_path / "all.png")]) == 0
    assert main(["plot", "one", "-o", str(tmp_path / "loss.PNG"), "--only", "loss"]) == 0
    every, loss = (size_of(tmp_path / name) for name in ("all.png", "loss.PNG"))
    assert every[0] > 1.9 * loss[0] and every[1] > 2.5 * loss[1]


def size_of(png: Path) -> tuple[int, int]:
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_without_matplotlib_a_png_is_refused_and_a_page_is_not(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_metrics(world, "one")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["plot", "one", "-o", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().err == (
        "A PNG needs matplotlib: pip install 'trainingrun[plot]', or write HTML, which needs nothing.\n"
    )
    assert main(["plot", "one", "-o", str(tmp_path / "a.html")]) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tiny", "--stage", "sft-it"], 4, "Run tiny has no metrics yet: stage sft-it is Waiting: It waits.\n"),
        (["tiny", "--stage", "sft-en"], 4, "Run tiny has no stage sft-en; stages that train: pretrain, sft-it.\n"),
        (["new"], 4, "Run new has no stage pretrain; stages that train: none yet.\n"),
        (["tiny", "--only", "heat"], 4, "No panel has these words in its title: there are loss, learning rate, "),
        (
            ["tiny", "-o", "out.pdf"],
            2,
            "out.pdf is neither .png nor .html, nor json or yaml: name it as one of them.\n",
        ),
        (
            ["tiny", "-o", "/proc/none/out.html"],
            2,
            "/proc/none/out.html can't be written: No such file or directory.\n",
        ),
    ],
)
def test_where_there_is_nothing_to_draw_a_sentence_says_why(
    words: list[str], code: int, said: str, world: World, capsys: Capture
) -> None:
    with_metrics(world, "tiny")
    world.add_run("new")
    assert main(["plot", *words]) == code
    assert said in capsys.readouterr().err


def test_a_run_without_any_folder_makes_no_pod(world: World) -> None:
    world.add_run("new")
    assert main(["plot", "new"]) == 4
    assert world.visits == 0


def test_a_name_is_text_in_the_picture() -> None:
    picture = svg(Panel("<loss>", (Line("a & b", ((1, 2.0), (2, 1.0))), Line("c", ((1, 2.0),)))), "steps")
    root = ET.fromstring(picture)
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "<loss>" and texts[-2:] == ["a & b", "c"]
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 1  # the line of one point


def test_a_terminal_without_such_characters_gets_ascii() -> None:
    panel = Panel("loss", (Line("a", ((0, 9.0), (10, 1.0))), Line("b", ((0, 1.0), (10, 9.0)))))
    lines = plain(list(drawn(panel, "steps", 60, braille=False)))
    assert all(line.plain.isascii() for line in lines)
    assert len(lines) == HEIGHT + 3
    assert lines[1].plain.rstrip()[-1] == "*" and lines[HEIGHT].plain.rstrip()[-1] == "*"


@given(st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=20), st.booleans(), st.sampled_from([0.0, 0.04]))
def test_every_value_is_on_its_axis_and_ticks_are_few_and_in_order(
    values: list[float], logarithmic: bool, room: float
) -> None:
    made = axis(values, logarithmic, room)
    assert all(-1e-6 <= made.at(value) <= 1 + 1e-6 for value in values)
    ticks = made.ticks(6)
    assert ticks == sorted(set(ticks)) and len(ticks) <= 7
    assert all(-1e-6 <= made.at(tick) <= 1 + 1e-6 for tick in ticks)


def test_ticks_are_round() -> None:
    assert Axis(0, 900).ticks(6) == [0, 200, 400, 600, 800]
    assert Axis(0.5, 2000, True).ticks(6) == [1, 10, 100, 1000]
    assert [called(one) for one in (0, 0.0003, 3e-05, 4.25, 1500, 921_600, 2.5e12)] == [
        "0", "0.0003", "3e-05", "4.25", "1.5k", "921.6k", "2.5T",
    ]  # fmt: skip
