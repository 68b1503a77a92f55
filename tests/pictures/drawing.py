"""A terminal's screen as a picture, in a window whose title tells how much time has gone by."""

from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont
from pyte.screens import Char

from pictures.terminal import Frame

# Characters are drawn twice as large as a README shows them, for screens with small pixels.
SIZE = 26
WIDTH, HEIGHT = 16, 30  # a cell's, in pixels
MARGIN, BAR = 26, 52
PAPER, TITLE, INK, FAINT = "#161b22", "#21262d", "#e6edf3", "#8b949e"
COLOURS = {
    "default": INK, "black": "#484f58", "red": "#ff7b72", "green": "#56d364", "brown": "#e3b341", "yellow": "#e3b341",
    "blue": "#79c0ff", "magenta": "#d2a8ff", "cyan": "#76e3ea", "white": INK, "brightblack": FAINT,
}  # fmt: skip
LIGHTS = ("#ff5f57", "#febc2e", "#28c840")
BRAILLE = 0x2800
# Where the eight bits of a braille character lie: column and row of its dots.
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
BLOCKS = "▁▂▃▄▅▆▇█"


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """One of matplotlib's own fonts, so that the pictures look the same on every machine."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size)


PLAIN, BOLD, SMALL = _font("DejaVuSansMono", SIZE), _font("DejaVuSansMono-Bold", SIZE), _font("DejaVuSansMono", 22)


def drawn(frame: Frame, title: str, lines: int) -> Image.Image:
    """The screen's first lines in a window."""
    columns = len(frame.lines[0])
    picture = Image.new("RGB", (columns * WIDTH + 2 * MARGIN, lines * HEIGHT + BAR + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, picture.width, BAR), TITLE)
    for place, light in enumerate(LIGHTS):
        draw.circle((MARGIN + 10 + place * 34, BAR // 2), 10, light)
    draw.text((picture.width // 2, BAR // 2), title, FAINT, SMALL, anchor="mm")
    for y, line in enumerate(frame.lines[:lines]):
        for x, char in enumerate(line):
            _cell(draw, MARGIN + x * WIDTH, BAR + MARGIN + y * HEIGHT, char)
    if frame.cursor:
        left, top = MARGIN + frame.cursor[0] * WIDTH, BAR + MARGIN + frame.cursor[1] * HEIGHT
        draw.rectangle((left, top + 2, left + WIDTH - 1, top + HEIGHT - 3), INK)
    return picture


def _cell(draw: ImageDraw.ImageDraw, left: int, top: int, char: Char) -> None:
    ink, paper = _colour(char.fg, INK), _colour(char.bg, PAPER)
    if char.reverse:
        ink, paper = paper, ink
    if paper != PAPER:
        draw.rectangle((left, top, left + WIDTH - 1, top + HEIGHT - 1), paper)
    if char.data in BLOCKS:
        part = HEIGHT * (BLOCKS.index(char.data) + 1) // len(BLOCKS)
        draw.rectangle((left, top + HEIGHT - part, left + WIDTH - 2, top + HEIGHT - 1), ink)
    elif BRAILLE <= ord(char.data[0] if char.data else " ") < BRAILLE + 256:
        _braille(draw, left, top, ord(char.data[0]) - BRAILLE, ink)
    elif char.data.strip():
        draw.text((left, top + HEIGHT - 7), char.data, ink, BOLD if char.bold else PLAIN, anchor="ls")


def _braille(draw: ImageDraw.ImageDraw, left: int, top: int, bits: int, ink: str) -> None:
    for bit, (column, row) in enumerate(DOTS):
        if bits >> bit & 1:
            x, y = left + (1 + 2 * column) * WIDTH // 4, top + (1 + 2 * row) * HEIGHT // 8
            draw.rectangle((x - 2, y - 2, x + 2, y + 2), ink)


def _colour(name: str, default: str) -> str:
    """A colour of pyte's: a name, or six hexadecimal digits."""
    if name == "default":
        return default
    known = COLOURS.get(name) or COLOURS.get(name.removeprefix("bright"))
    return known or f"#{name}"
