"""docs/cli.md has every command and every exit code."""

from pathlib import Path
from typing import Any

from typer.main import get_command

from trainingrun.cli import application, commands_table
from trainingrun.commands.manifest import MEANINGS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()


def test_every_command_is_in_the_table_with_what_its_help_says() -> None:
    """To mend it: python -c 'from typer.main import get_command

    from trainingrun.cli import application, commands_table; print(commands_table())'."""
    assert PAGE.split("<!-- commands -->\n")[1].split("<!-- /commands -->")[0] == commands_table()


def test_every_exit_code_is_told_as_help_tells_it() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert {int(code.strip("| ")): meaning.strip("| ").partition(";")[0] for code, meaning in rows} == MEANINGS


def test_every_command_that_prints_data_takes_json_and_yaml() -> None:
    """The dashboard alone prints none: it serves a page."""

    group: Any = get_command(application())
    for name, command in group.commands.items():
        output = next((one for one in command.params if "--output" in one.opts), None)
        if name != "dashboard":
            assert output is not None, name
            assert {"json", "yaml"} <= set(output.make_metavar(None).strip("[]<>").split("|")), name
