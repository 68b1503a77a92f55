"""A shell in a real pseudo terminal, and what its screen shows as time goes by."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pexpect
import pyte
from pyte.screens import Char

READY = "ready"  # the window's title while the shell waits for a command
# Bash names the window with each prompt, by which its end of a command is known; the prompt itself is a green arrow.
PROMPT = rf"\[\e]0;{READY}\a\e[1;32m\]❯\[\e[0m\] "
EVERY = 0.25  # seconds between looks at the screen
KEY = 0.05  # seconds between keys


class CommandTimeoutError(RuntimeError):
    """A command that was still running when its time was over."""


@dataclass(frozen=True)
class Frame:
    """A screen as it was at a time."""

    at: float  # seconds since the shell began
    lines: tuple[tuple[Char, ...], ...]
    cursor: tuple[int, int] | None  # column and line; None where it is hidden

    @property
    def text(self) -> str:
        """The characters alone."""
        return "\n".join("".join(one.data for one in line).rstrip() for line in self.lines).rstrip()


class _Screen(pyte.Screen):
    """Pyte's screen, which knows no faint characters: they are grey here."""

    def select_graphic_rendition(self, *attributes: int, **given: Any) -> None:
        """Faint, 2, becomes bright black, but for the 2 and all that follows 38 or 48: a colour in numbers."""
        numbers = next((place for place, one in enumerate(attributes) if one in (38, 48)), len(attributes))
        plain = tuple(90 if one == 2 else one for one in attributes[:numbers])
        super().select_graphic_rendition(*plain, *attributes[numbers:], **given)


class Shell:
    """Bash at a terminal of so many columns and lines."""

    def __init__(self, columns: int, lines: int, environment: Mapping[str, str], folder: str) -> None:
        """Start it in a folder; the frames begin with its first prompt."""
        self.screen = _Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.frames: list[Frame] = []
        told = dict(environment) | {"PS1": PROMPT, "TERM": "xterm-256color", "COLORTERM": "", "LC_ALL": "C.UTF-8"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            told.pop(name, None)
        arguments = ["--norc", "--noprofile", "-i"]
        self.child = pexpect.spawn("bash", arguments, env=told, cwd=folder, dimensions=(lines, columns), timeout=None)
        self.begun = time.monotonic()
        self._until(self._is_ready, 30)

    def run(self, command: str, seconds: float) -> None:
        """Type a command and wait for its end; CommandTimeoutError where it takes longer than so many seconds."""
        for key in command:
            self.child.send(key)
            self._look(KEY)
        self._look(0.3)
        self.screen.set_title("")
        self.child.send("\r")
        self._until(self._is_ready, seconds)

    def rest(self, seconds: float) -> None:
        """Let the screen be looked at."""
        self._look(seconds)

    def clear(self) -> None:
        """An empty screen, as Ctrl-L makes it."""
        self.child.send("\x0c")
        self._look(0.2)

    def close(self) -> None:
        """End the shell."""
        self.child.close(force=True)

    def _is_ready(self) -> bool:
        return bool(self.screen.title == READY)

    def _until(self, what: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                raise CommandTimeoutError(f"A command had not ended after {seconds:.0f} s:\n{self._frame().text}")
            self._look(EVERY)

    def _look(self, seconds: float) -> None:
        """Read for so long what the terminal prints, then add a frame where it differs from the last."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.stream.feed(self.child.read_nonblocking(65536, timeout=left))
            except pexpect.TIMEOUT:
                break
            except pexpect.EOF:
                raise CommandTimeoutError(f"The shell has ended:\n{self._frame().text}") from None
        frame = self._frame()
        if not self.frames or (frame.lines, frame.cursor) != (self.frames[-1].lines, self.frames[-1].cursor):
            self.frames.append(frame)

    def _frame(self) -> Frame:
        screen = self.screen
        lines = tuple(tuple(screen.buffer[y][x] for x in range(screen.columns)) for y in range(screen.lines))
        cursor = None if screen.cursor.hidden else (screen.cursor.x, screen.cursor.y)
        return Frame(time.monotonic() - self.begun, lines, cursor)
