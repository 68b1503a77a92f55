"""docs/cli.md has every command and every exit code."""

from pathlib import Path

from trainingrun.cli import commands_table
from trainingrun.commands.manifest import MEANINGS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()


def test_every_command_is_in_the_table_with_what_its_help_says() -> None:
    """To mend it: python -c 'from trainingrun.cli import commands_table; print(commands_table())'."""
    assert PAGE.split("<!-- commands -->\n")[1].split("<!-- /commands -->")[0] == commands_table()


def test_every_exit_code_is_told_as_help_tells_it() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert {int(code.strip("| ")): meaning.strip("| ").partition(";")[0] for code, meaning in rows} == MEANINGS
