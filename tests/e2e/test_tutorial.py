"""Each command of the tutorial prints what the page shows: run by `make demo-assert`, after the demo."""

import os
import re
import subprocess
from dataclasses import dataclass

import pytest

from e2e.installation import REPOSITORY, environment

PAGE = REPOSITORY / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.demo


@dataclass(frozen=True)
class Command:
    """A block of commands and the lines that the page shows under it."""

    script: str
    shown: tuple[str, ...]


def commands(text: str) -> list[Command]:
    """The page's blocks of `bash`, each with the block of `text` that follows it."""
    blocks = FENCE.findall(text)
    return [
        Command(script, tuple(following[1].splitlines()))
        for (language, script), following in zip(blocks, [*blocks[1:], ("", "")], strict=True)
        if language == "bash" and following[0] == "text"
    ]


def missing(shown: tuple[str, ...], printed: str) -> list[str]:
    """The lines of the page that were not printed in this order; `…` stands for any text."""
    left = printed.splitlines()
    lost = []
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"\s*")
        found = next((number for number, one in enumerate(left) if pattern.fullmatch(one)), None)
        if found is None:
            lost.append(line)
        else:
            left = left[found + 1 :]
    return lost


def test_every_block_of_commands_is_followed_by_what_it_prints() -> None:
    text = PAGE.read_text()
    assert len(commands(text)) == text.count("```bash\n") >= 8


@pytest.mark.parametrize("command", commands(PAGE.read_text()), ids=lambda command: command.script.splitlines()[0])
def test_the_command_prints_what_the_tutorial_shows(command: Command) -> None:
    own = str(REPOSITORY / ".venv" / "bin")
    variables = {**environment(), "PATH": f"{own}:{environment()['PATH']}", "HOME": os.environ["HOME"]}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command.script], cwd=REPOSITORY, env=variables, capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not missing(command.shown, done.stdout), done.stdout
