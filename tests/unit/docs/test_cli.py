"""docs/cli.md has every command and every exit code."""

from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from trainingrun.cli import application, commands_table, main
from trainingrun.commands.manifest import MEANINGS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()


def test_every_command_is_in_the_table_with_what_its_help_says() -> None:
    """To mend it: python -c 'import pytest
    from typer.main import get_command

        from trainingrun.cli import application, commands_table, main; print(commands_table())'."""
    assert PAGE.split("<!-- commands -->\n")[1].split("<!-- /commands -->")[0] == commands_table()


def test_every_exit_code_is_told_as_help_tells_it() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert {int(code.strip("| ")): meaning.strip("| ").partition(";")[0] for code, meaning in rows} == MEANINGS


def test_every_command_that_prints_data_takes_json_and_yaml(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dashboard alone prints none: it serves a page."""
    monkeypatch.setenv("COLUMNS", "200")
    group: Any = get_command(application())
    for name in {*group.commands} - {"dashboard"}:
        assert main([name, "--help"]) == 0
        told = [line for line in capsys.readouterr().out.splitlines() if "--output" in line]
        assert told and "json" in told[0] and "yaml" in told[0], name
