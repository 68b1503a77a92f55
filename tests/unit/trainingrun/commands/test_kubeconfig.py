"""Which cluster is meant, and what is said where none can be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingrun.commands.kubeconfig import place
from trainingrun.commands.manifest import CommandError


def a_kubeconfig(file: Path, current: str = "prod", **user: Any) -> str:
    contexts = {"prod": {"namespace": "training"}, "test": {}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": user or {"token": "secret"}}],
        "contexts": [
            {"name": name, "context": {"cluster": "one", "user": "me", **more}} for name, more in contexts.items()
        ],
    }
    file.write_text(yaml.safe_dump(document))
    return str(file)


@pytest.fixture(autouse=True)
def _no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_namespace_is_the_one_that_is_named_else_the_contexts_else_default(tmp_path: Path) -> None:
    file = a_kubeconfig(tmp_path / "config")
    assert place(file).namespace == "training"
    assert place(file, "test").namespace == "default"
    assert place(file, "test", "mine").namespace == "mine"
    assert (place(file).context, place(file).configuration.host) == ("prod", "https://127.0.0.1:1")


def test_the_variable_names_several_files_of_which_those_that_are_there_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_kubeconfig(tmp_path / "config")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{file}")
    assert place().context == "prod"


def test_no_kubeconfig_is_told_with_the_place_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(
        CommandError, match=r"There is no kubeconfig at .*/home/.kube/config, and KUBECONFIG names none"
    ):
        place()


def test_a_kubeconfig_that_is_named_and_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="--kubeconfig /nowhere is no file"):
        place("/nowhere")
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(CommandError, match="KUBECONFIG names /nowhere, which is no file: correct or unset it"):
        place()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("- a", "is no kubeconfig"),
        ("contexts: [1]", "is no kubeconfig"),
        ("", "is no kubeconfig"),
        ("kind: Config", "has no contexts"),
    ],
)
def test_a_kubeconfig_that_is_none_is_told(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(CommandError, match=said):
        place(str(file))


def test_a_wrong_context_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    file = a_kubeconfig(tmp_path / "config")
    with pytest.raises(CommandError, match="has no context prd: did you mean prod. It has prod, test") as raised:
        place(file, "prd")
    assert raised.value.code == 2
    with pytest.raises(CommandError, match="has no context zzz: choose one of prod, test"):
        place(file, "zzz")
    with pytest.raises(CommandError, match="has no current context: choose one of prod, test with --context"):
        place(a_kubeconfig(tmp_path / "config", current=""))


def test_a_login_program_that_fails_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    login = {"command": str(tmp_path / "login"), "apiVersion": "client.authentication.k8s.io/v1"}
    with pytest.raises(CommandError, match="The login of context prod failed: .*No such file"):
        place(a_kubeconfig(tmp_path / "config", exec=login))
    assert capsys.readouterr().err == ""
