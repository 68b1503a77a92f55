"""Runs from Python on a real API server: applied, waited for, read and deleted; and the notebook."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import a_manifest
from control_plane.api import Api, Object
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator
from notebooks import executed
from trainingrun import AbsentError, Client, CommandError, RunFailedError, TimedOutError, TrainingRun
from trainingrun_workers.contract import Result


@pytest.fixture
def kubeconfig(api: Api, namespace: str, tmp_path: Path) -> Path:
    """The administrator's, with the test's namespace."""
    document = yaml.safe_load(api.kubeconfig.read_text())
    document["contexts"][0]["context"]["namespace"] = namespace
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture
def client(kubeconfig: Path) -> Client:
    return Client(kubeconfig=str(kubeconfig))


@pytest.fixture
def played(kubelet: Kubelet) -> Iterator[None]:
    """The rest of the cluster goes on by itself."""
    over = threading.Event()
    thread = threading.Thread(target=lambda: kubelet.play(over.is_set, 300))
    thread.start()
    yield
    over.set()
    thread.join()


def nameless(**spec: Any) -> Object:
    """A manifest without a namespace."""
    manifest = a_manifest("tiny", **spec)
    del manifest["metadata"]["namespace"]
    return manifest


def test_the_notebook_runs_from_the_manifest_to_the_scores(
    operator: Operator, played: None, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    shown = executed("python.ipynb", kubeconfig, tmp_path / "out.ipynb", without="volume")
    texts = list(shown.values())
    assert namespace in texts[0]
    assert "('quickstart', 2, ['handbook-en', 'handbook-it', 'python'])" in texts[1]
    assert texts[2].rstrip().splitlines()[-1].startswith("Succeeded"), "what came before is there if it was seen"
    assert "pretrain" in texts[3] and "Running" not in texts[3]
    assert "900" in texts[4]


def test_a_run_is_applied_into_the_clients_namespace_and_applied_again_without_a_change(
    api: Api, client: Client, namespace: str
) -> None:
    made = client.apply(nameless())
    assert (made.metadata.name, made.metadata.namespace, made.status.phase) == ("tiny", namespace, "Pending")
    again = client.apply(TrainingRun.from_object(nameless()))
    assert (again.metadata.uid, again.metadata.generation) == (made.metadata.uid, 1)
    changed = client.apply(nameless(suspend=True))
    assert changed.spec.suspend and changed.metadata.generation == 2
    assert [one.metadata.name for one in client.runs()] == ["tiny"]
    assert client.get("tiny") == client.get(made) == changed
    client.delete(made)
    client.delete(made)
    assert client.runs() == []


def test_a_field_of_somebody_else_is_refused_or_taken_over(api: Api, client: Client, namespace: str) -> None:
    client.apply(nameless())
    api.merge("TrainingRun", "tiny", {"spec": {"suspend": True}}, namespace)
    with pytest.raises(CommandError, match="conflict"):
        client.apply(nameless(suspend=False))
    assert client.apply(nameless(suspend=False), force=True).spec.suspend is False


def test_waiting_tells_of_progress_and_ends_at_a_phase_a_condition_or_a_function(
    operator: Operator, played: None, client: Client
) -> None:
    seen: list[str] = []
    client.apply(nameless(variants=None))
    client.wait("tiny", until=lambda run: len(run.status.stages) == 6, timeout=60, poll=0.2)
    client.wait("tiny", timeout=120, on_progress=lambda run: seen.append(run.status.phase), poll=0.2)
    assert seen[-1] == "Succeeded" and "Running" in seen
    assert client.wait("tiny", until="Ready", timeout=5).status.phase == "Succeeded"
    assert {one.phase for one in client.progress("tiny")} == {"Succeeded"}
    assert list(client.scores("tiny").index) == [0, 300, 600, 900]


def test_a_run_that_fails_meanwhile_is_an_error_that_says_why(
    operator: Operator, client: Client, kubelet: Kubelet
) -> None:
    client.apply(nameless())
    client.wait("tiny", until="Running", timeout=60, poll=0.2)
    until = time.monotonic() + 30
    while not kubelet.work() and time.monotonic() < until:  # the status leads, the object follows
        time.sleep(0.1)
    kubelet.fail(kubelet.work()[0], 65, Result(65, "BadData", "The file raw/en/a.parquet is torn."))
    with pytest.raises(RunFailedError, match=r"The run tiny has failed: .*The file raw/en/a.parquet is torn"):
        client.wait("tiny", timeout=60, poll=0.2)


def test_what_does_not_come_or_is_not_there_is_a_sentence(client: Client, namespace: str) -> None:
    client.apply(nameless())
    with pytest.raises(TimedOutError, match=r"The run tiny is Pending after 0.5 s, and goes on\."):
        client.wait("tiny", timeout=0.5, poll=0.1)
    with pytest.raises(AbsentError, match="did you mean tiny"):
        client.get("tinny")
    with pytest.raises(CommandError, match="The run tiny has no stage sft that trains: the operator has not seen it"):
        client.metrics("tiny", stage="sft")
    with pytest.raises(CommandError, match="spec.data: is missing"):
        client.apply(nameless(data=None))
