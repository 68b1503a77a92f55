"""Generated files are what the models say, and a stale, missing or foreign one is told with its mend."""

from pathlib import Path

import pytest

from trainingrun.api import generate
from trainingrun.api.generate import FILES, complaints, write


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every generated file."""
    root = tmp_path_factory.mktemp("made")
    assert set(write(root)) == set(FILES)
    return root


def test_what_was_just_written_is_current(made: Path) -> None:
    assert list(complaints(made)) == []
    assert write(made) == ()


def test_the_charts_crd_is_the_crd(made: Path) -> None:
    ours, charts = made / "crds/trainingruns.yaml", made / "helm/trainingrun/crds/trainingruns.yaml"
    assert ours.read_bytes() == charts.read_bytes()


def test_a_stale_a_missing_and_a_foreign_file_are_told(made: Path) -> None:
    (made / "docs/reference.md").write_text("old")
    (made / "crds/trainingruns.yaml").unlink()
    (made / "crds/other.yaml").write_text("")
    found = list(complaints(made))
    assert found == [
        "crds/trainingruns.yaml is missing: run `make generate`, and commit what it writes.",
        "docs/reference.md is not what the models say: run `make generate`, and commit what it writes.",
        "crds/other.yaml is made by nothing: delete it, or name it in generate.py.",
    ]
    (made / "crds/other.yaml").unlink()
    write(made)


def test_a_file_that_git_does_not_know_is_told(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "_tracked", lambda _: set(FILES) - {"docs/reference.md"})
    assert list(complaints(made)) == ["docs/reference.md is not in git: git add it."]


def test_the_check_fails_where_there_is_something_to_say(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", made)
    assert generate.main(["--check"]) == 0
    (made / "docs/reference.md").write_text("old")
    assert generate.main(["--check"]) == 1
    assert "run `make generate`" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert capsys.readouterr().out == "wrote docs/reference.md\n"
