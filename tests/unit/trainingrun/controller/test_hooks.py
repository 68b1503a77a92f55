"""What the chart's hooks run says what is wrong, and which of two versions is the newer."""

import pytest

from control_plane.operator_process import free_port
from trainingrun.controller import definition, installed


async def test_an_operator_that_does_not_answer_is_told_with_what_to_look_at() -> None:
    found = await installed._answers(f"http://127.0.0.1:{free_port()}", 0.0)
    assert not found.well
    assert "The operator is not ready at http://127.0.0.1:" in found.sentence
    assert found.sentence.endswith("look at its pods and their log, and at NetworkPolicies between.")


def test_without_images_the_environment_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TRAININGRUN_IMAGES", raising=False)
    monkeypatch.setenv("TRAININGRUN_IMAGES", "{}")
    assert installed.main() == 1
    assert "WRONG: TRAININGRUN_IMAGES names no image for tokenize" in capsys.readouterr().out


def test_without_a_cluster_the_definition_is_not_upgraded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none")
    assert definition.main() == 1
    assert "trainingrun: the definition was not upgraded: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("older", "newer"), [("", "0.1.0"), ("0.1.0", "0.2.0"), ("0.9.0", "0.10.0"), ("1.2", "1.2.1"), ("v1.0.0", "v2.0.0")]
)
def test_versions_compare_by_their_numbers(older: str, newer: str) -> None:
    assert definition._number(older) < definition._number(newer)
