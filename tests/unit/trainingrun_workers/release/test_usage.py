"""The card's code is run before it is published."""

import sys
from pathlib import Path

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.usage import run_usage


def test_what_the_code_prints_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("è")
    assert run_usage("print(open('file').read())", tmp_path, (sys.executable, "-Xutf8", "-c")) == "è"


def test_code_that_fails_keeps_the_model_from_being_released(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="ModuleNotFoundError: No module named 'nowhere'") as caught:
        run_usage("import nowhere", tmp_path)
    assert caught.value.reason == "UsageFails"


def test_the_code_does_not_see_the_token_of_the_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert run_usage("import os; print(os.environ.get('HF_TOKEN'))", tmp_path) == "None"
