"""The command against a real API server: what it shows, what it does, and what it says where it can't."""

import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from local_cluster.api_only import api_server
from local_cluster.programs import built

from builders import REPOSITORY, a_manifest
from control_plane.api import Api, Object, install_definition, until
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator
from control_plane.proxies import Wire, wire
from control_plane.test_failures import attempt, stage
from control_plane.test_reports import TIME, Stage, send
from trainingrun.api import names
from trainingrun.cli import main
from trainingrun.commands import access, acting, watching
from trainingrun.commands import wire as wires
from trainingrun.commands.access import connect
from trainingrun.commands.refusals import AbsentError
from trainingrun_workers.contract import ExitCode, Result

Capture = pytest.CaptureFixture[str]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def line(api: Api) -> Iterator[Wire]:
    """A connection that can go dead."""
    with wire(api) as one:
        yield one


@pytest.fixture
def command(api: Api, namespace: str, capsys: Capture) -> Command:
    """The command in the test's namespace, as its administrator: exit code, output, errors."""

    def run(*arguments: str, kubeconfig: Path = api.kubeconfig) -> tuple[int, str, str]:
        code = main([*arguments, "-n", namespace, "--kubeconfig", str(kubeconfig)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def as_account(api: Api, folder: Path, namespace: str) -> Path:
    """A kubeconfig of a service account that has no rights."""
    document = yaml.safe_load(api.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": api.token("default", namespace)}
    path = folder / "account.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_run_is_shown_as_text_and_as_documents(api: Api, command: Command, manifest: Object) -> None:
    api.create(manifest)
    code, said, _ = command("status", "tiny")
    assert code == 0
    assert "The operator has not looked at this run yet." in said
    for how, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        assert read(command("status", "tiny", "-o", how)[1])["name"] == "tiny"
        assert [one["name"] for one in read(command("status", "-o", how)[1])["runs"]] == ["tiny"]
    assert command("status")[1].splitlines()[1].split()[:3] == ["tiny", "·", "Pending"]


def test_a_run_is_suspended_and_resumed_only_by_somebody_who_says_yes(
    api: Api, command: Command, namespace: str, manifest: Object
) -> None:
    api.create(manifest)
    code, said, error = command("suspend", "tiny")
    assert (code, error) == (2, "There is no terminal to ask at: add --yes to do it.\n")
    assert said == "Nothing of it runs at the moment.\n"
    assert "suspend" not in api.get("TrainingRun", "tiny", namespace)["spec"]
    assert command("suspend", "tiny", "--yes")[0] == 0
    assert api.get("TrainingRun", "tiny", namespace)["spec"]["suspend"] is True
    assert command("suspend", "tiny", "--yes")[2].startswith("The run tiny is suspended already")
    code, said, _ = command("resume", "tiny", "--yes", "-o", "json")
    assert (code, json.loads(said)["run"]) == (0, "tiny")
    assert api.get("TrainingRun", "tiny", namespace)["spec"]["suspend"] is False
    assert command("resume", "tiny", "--yes")[0] == 1


def test_a_failed_stage_is_tried_again_and_the_operators_answer_told(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object, command: Command
) -> None:
    manifest["spec"]["tokenize"]["parallelism"] = 1
    api.create(manifest)
    words = Result(ExitCode.BAD_DATA, "SourceMissing", "Source wiki is not there.")
    kubelet.fail(until(lambda: attempt(kubelet, "tiny-tokenize-a1")), ExitCode.BAD_DATA, words)
    until(lambda: stage(api, namespace, "tokenize").get("phase") == "Failed")
    code, said, _ = command("status", "tiny")
    assert code == 1
    assert "SourceMissing" in said
    code, _, error = command("retry", "tiny", "tokenise", "--yes")
    assert (code, error) == (4, "The run tiny has no stage tokenise: did you mean tokenize?\n")
    code, said, _ = command("retry", "tiny", "tokenize", "--yes")
    assert code == 0
    assert said.startswith("Stage tokenize failed by SourceMissing: Source wiki is not there.\n")
    assert said.endswith("Stage tokenize tries again: attempt 2 follows.\n")
    until(lambda: attempt(kubelet, "tiny-tokenize-a2"))


def test_training_goes_back_to_a_checkpoint(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object, command: Command
) -> None:
    del manifest["spec"]["evaluate"]
    manifest["spec"]["pretrain"]["checkpoints"] = {"every": 100}
    run = api.create(manifest)
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    pod = kubelet.start(until(lambda: attempt(kubelet, "tiny-pretrain-a1")))[0]
    gang = Stage(api, namespace, run, pod)
    there = {"step": 320, "total": 900, "loss": 4.5, "checkpoint": 300, "checkpoints": (100, 200, 300)}
    assert send(operator, gang.report(stage="pretrain", time=TIME, **there), gang.token()) == 200
    until(lambda: stage(api, namespace, "pretrain").get("progress", {}).get("step") == 320)
    code, said, _ = command("restart-from", "tiny", "150", "--yes")
    assert code == 1
    assert "no checkpoint of step 150 is known; known are 100, 200, 300." in " ".join(said.split())
    code, said, _ = command("restart-from", "tiny", "200", "--leave-out", "20", "--yes")
    assert code == 0, said
    assert "120 steps are done again" in " ".join(said.split())

    def is_replaced() -> Object | None:
        kubelet.collect_garbage()
        return attempt(kubelet, "tiny-pretrain-a2")

    again = kubelet.stage_input(until(is_replaced, 60))
    assert [(one["step"], one["steps"]) for one in again["spec"]["skips"]] == [(200, 20)]


def test_who_has_no_rights_is_told_which_verb_on_what_and_where(
    api: Api, command: Command, namespace: str, manifest: Object, tmp_path: Path
) -> None:
    api.create(manifest)
    kubeconfig = as_account(api, tmp_path, namespace)
    who = f"You are system:serviceaccount:{namespace}:default in context trainingrun and may not "
    for arguments, what in (
        (["status"], "list trainingruns.trainingrun.dev"),
        (["status", "tiny"], "get trainingruns.trainingrun.dev"),
        (["suspend", "tiny", "--yes"], "get trainingruns.trainingrun.dev"),
    ):
        code, said, error = command(*arguments, kubeconfig=kubeconfig)
        assert (code, said) == (3, "")
        assert error.startswith(f"{who}{what} in namespace {namespace}: ask for a role")
    code, _, error = command("status", "--all-namespaces", kubeconfig=kubeconfig)
    assert "list trainingruns.trainingrun.dev in all namespaces" in error
    api.kubectl("-n", namespace, "create", "role", "reader", "--verb=get", f"--resource={names.PLURAL}.{names.GROUP}")
    api.kubectl("-n", namespace, "create", "rolebinding", "reader", "--role=reader",
                f"--serviceaccount={namespace}:default")  # fmt: skip
    until(lambda: command("status", "tiny", kubeconfig=kubeconfig)[0] == 0)
    code, _, error = command("suspend", "tiny", "--yes", kubeconfig=kubeconfig)
    assert (code, f"{who}patch trainingruns.trainingrun.dev" in error) == (3, True)
    assert command("status", "tyny", kubeconfig=kubeconfig)[0] == 4  # without the names that it may not list


def test_a_run_that_is_not_there_is_told_with_the_nearest(
    api: Api, command: Command, namespace: str, manifest: Object
) -> None:
    said = f"There is no run tyny in namespace {namespace} of context trainingrun: "
    assert command("status", "tyny") == (4, "", f"{said}it has none.\n")
    api.create(manifest)
    assert command("status", "tyny") == (4, "", f"{said}did you mean tiny?\n")
    elsewhere = a_manifest("only-here-" + namespace)
    api.create(elsewhere)
    code, _, error = command("status", elsewhere["metadata"]["name"])
    assert error.endswith("there is one in namespace default, which -n default names.\n")


def test_a_wrong_context_and_a_server_that_is_away_are_told(
    api: Api, command: Command, tmp_path: Path, capsys: Capture
) -> None:
    code, _, error = command("status", "--context", "trainigrun")
    assert (code, error) == (
        2,
        "The kubeconfig has no context trainigrun: did you mean trainingrun? It has trainingrun.\n",
    )
    document = yaml.safe_load(api.kubeconfig.read_text())
    away = tmp_path / "away.kubeconfig"
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    away.write_text(yaml.safe_dump(document))
    code, _, error = command("status", kubeconfig=away)
    assert code == 3
    assert error.startswith("The API server https://127.0.0.1:1 of context trainingrun can't be reached (Connection re")


def test_kubectl_trainingrun_is_the_command(api: Api, namespace: str, manifest: Object, tmp_path: Path) -> None:
    api.create(manifest)
    for name, function in (("kubectl-trainingrun", "kubectl"), ("kubectl_complete-trainingrun", "kubectl_complete")):
        script = tmp_path / name
        script.write_text(
            f"#!{sys.executable}\nimport sys\nfrom trainingrun.cli import {function}\nsys.exit({function}())\n"
        )
        script.chmod(0o755)
    kubectl = built("kubernetes") / "kubectl"
    environment = {
        "PATH": f"{tmp_path}:{kubectl.parent}:{os.environ['PATH']}", "KUBECONFIG": str(api.kubeconfig),
        "PYTHONPATH": f"{REPOSITORY / 'operator'}:{REPOSITORY / 'workers'}", "HOME": str(tmp_path),
    }  # fmt: skip

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            [str(kubectl), *arguments], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    assert json.loads(ask("trainingrun", "status", "tiny", "-n", namespace, "-o", "json"))["name"] == "tiny"
    assert "status" in ask("__complete", "trainingrun", "stat").splitlines()
    assert "tiny" in ask("__complete", "trainingrun", "status", "-n", namespace, "ti").splitlines()


def test_a_watch_survives_a_lost_connection_and_ends_with_the_run(
    api: Api, namespace: str, manifest: Object, line: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "WATCH_SECONDS", 1)
    monkeypatch.setattr(access, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(wires, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(wires, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(watching, "AGAIN_SECONDS", 0.1)
    api.create(manifest)
    document = yaml.safe_load(api.kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = line.server
    path = tmp_path / "wire.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    cluster = connect(str(path), None, namespace)
    picture = watching.Picture(cluster.run("tiny"), False)
    states = watching.changes(cluster, picture)
    assert next(states)["metadata"]["name"] == "tiny"
    api.merge("TrainingRun", "tiny", {"spec": {"suspend": True}}, namespace)
    assert next(states)["spec"]["suspend"] is True
    line.go_dead(new_connections_too=True)
    next(states)
    assert "can't be reached" in picture.remark
    api.merge("TrainingRun", "tiny", {"spec": {"suspend": False}}, namespace)
    line.revive()
    assert next(states)["spec"]["suspend"] is False
    assert picture.remark == ""
    api.delete("TrainingRun", "tiny", namespace)
    with pytest.raises(AbsentError, match="The run tiny was deleted|There is no run tiny"):
        next(states)


def test_a_watch_in_a_pipe_is_a_line_a_change_and_ends_with_ctrl_c(api: Api, namespace: str, manifest: Object) -> None:
    api.create(manifest)
    line = [sys.executable, "-m", "trainingrun.cli", "status", "tiny", "-w", "-n", namespace]
    environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig),
                   "PYTHONPATH": f"{REPOSITORY / 'operator'}:{REPOSITORY / 'workers'}"}  # fmt: skip
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watched:
        assert watched.stdout is not None
        assert watched.stdout.readline().endswith("tiny Pending\n")
        api.merge("TrainingRun", "tiny", {"spec": {"suspend": True}}, namespace)
        assert watched.stdout.readline().endswith("tiny Suspended\n")
        watched.send_signal(signal.SIGINT)
        try:
            _, error = watched.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            watched.kill()
            raise
    assert (watched.returncode, error.strip()) == (130, "")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API server that knows no TrainingRun."""
    with api_server(tmp_path_factory.mktemp("bare")) as kubeconfig:
        yield Api(kubeconfig)


def test_a_cluster_without_or_with_an_older_definition_is_told(
    bare: Api, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        assert main([*arguments, "--kubeconfig", str(bare.kubeconfig)]) == 3
        return capsys.readouterr().err

    missing = (
        "The cluster of context trainingrun knows no TrainingRun: install the chart trainingrun, or choose another "
    )
    assert said("status").startswith(missing)
    assert said("status", "tiny").startswith(missing)
    definition = yaml.safe_load((REPOSITORY / "crds" / "trainingruns.yaml").read_text())
    older = copy.deepcopy(definition)
    older["spec"]["versions"][0]["name"] = "v1alpha0"
    install_definition(bare, older)
    assert "serves trainingrun.dev as v1alpha0 and this command needs v1alpha1" in said("status")
    bare.delete("CustomResourceDefinition", definition["metadata"]["name"])
    until(lambda: not bare.exists("CustomResourceDefinition", definition["metadata"]["name"]))
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del schema["spec"]["properties"]["suspend"]
    install_definition(bare, definition)
    bare.create(a_manifest())
    monkeypatch.setattr(acting, "ANSWER_SECONDS", 1.0)
    assert "The cluster's TrainingRun has no field spec.suspend: its definition is older" in said(
        "suspend", "tiny", "-y"
    )
    status = {"stages": [{"name": "pretrain", "kind": "pretrain", "phase": "Running"}]}
    bare.merge("TrainingRun", "tiny", {"status": status}, part="status")
    assert said("restart-from", "tiny", "3", "-y").startswith(
        "The operator has not answered within 1 s: see whether it"
    )
