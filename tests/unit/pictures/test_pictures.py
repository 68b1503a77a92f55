"""What the README's moving pictures are made of: a real shell's screen, chosen frames, a file that isn't too large."""

import os
from pathlib import Path

import pytest
from PIL import Image

from pictures.drawing import HEIGHT, WIDTH, drawn
from pictures.moving import LARGEST, Shown, TooMuchError, lapse, write
from pictures.terminal import CommandTimeoutError, Shell

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(40, 6, dict(os.environ), str(tmp_path))


def test_a_command_is_typed_and_its_end_waited_for(shell: Shell) -> None:
    shell.run(r"sleep 0.3; printf '\e[2mfaint\e[0m \e[38;5;2mgreen\e[0m\n'", 20)
    shell.rest(0.1)
    shell.close()
    last = shell.frames[-1]
    assert [line for line in last.text.splitlines() if line][-2:] == ["faint green", "❯"]
    row = next(line for line in last.lines if line[0].data == "f")
    assert (row[0].fg, row[6].fg) == ("brightblack", "00cd00")
    assert last.cursor == (2, last.text.splitlines().index("❯"))
    assert len({frame.text for frame in shell.frames}) > 10  # key by key


def test_a_command_that_does_not_end_is_told_with_its_screen(shell: Shell) -> None:
    with pytest.raises(CommandTimeoutError, match="had not ended after 1 s:\n❯ sleep 60"):
        shell.run("sleep 60", 1)
    shell.close()


def test_the_screen_is_drawn_cell_by_cell(shell: Shell) -> None:
    shell.run("clear; printf '█⡇x'", 20)
    shell.close()
    picture = drawn(shell.frames[-1], "a title", 3)
    assert picture.width == 40 * WIDTH + 52 and picture.height == 3 * HEIGHT + 104


def test_hours_are_shown_in_seconds_from_the_first_to_the_last() -> None:
    taken = [(0.0, "a"), (10.0, "b"), (11.0, "c"), (100.0, "d")]
    assert lapse(taken, 9.0, 3) == [("a", 3.0), ("c", 3.0), ("d", 3.0)]
    assert lapse(taken, 4.0, 100) == [("a", 1.0), ("c", 2.0), ("d", 1.0)]
    assert lapse(taken[:1], 2.0, 5) == [("a", 2.0)]


def test_what_is_too_large_or_too_long_is_not_written(tmp_path: Path) -> None:
    still = Image.new("RGB", (64, 64))
    noise = Image.frombytes("RGB", (900, 900), os.urandom(900 * 900 * 3))
    for shown, why in (([Shown(still, 21.0)], "takes 21.0 s"), ([Shown(noise, 1.0)], "bytes: it may have")):
        with pytest.raises(TooMuchError, match=why):
            write(tmp_path / "out.webp", shown, lossless=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["terminal.webp", "dashboard.webp"])
def test_the_readmes_pictures_move_and_are_small(name: str) -> None:
    file = IMAGES / name
    assert f"](docs/images/{name})" in (IMAGES.parents[1] / "README.md").read_text()
    assert file.stat().st_size <= LARGEST
    with Image.open(file) as picture:
        assert getattr(picture, "n_frames", 1) > 20
