"""Commands that read what a run has left, against a real API server and with the real kubectl; no kubelet answers."""

import os
from pathlib import Path

import pytest
from local_cluster.programs import built

from control_plane.api import Api, Object
from control_plane.kubelet import Kubelet
from control_plane.test_command import Command, as_account, command
from trainingrun.api import names
from trainingrun.commands import volume_visit

__all__ = ["command"]


@pytest.fixture(autouse=True)
def kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one, in the PATH."""
    monkeypatch.setenv("PATH", f"{built('kubernetes')}{os.pathsep}{os.environ['PATH']}")


def a_run_that_trained(api: Api, manifest: Object) -> Object:
    """A run whose pretrain stage has a folder, and that has released a model."""
    made = api.create(manifest)
    told = {"path": "artifacts/release/y/model", "sha256": "0" * 64}
    stages = [
        {"name": "pretrain", "kind": "pretrain", "phase": "Running", "attempt": 1, "folder": "artifacts/pretrain/x"},
        {"name": "release", "kind": "release", "phase": "Succeeded", "attempt": 1, "output": told},
    ]
    namespace = manifest["metadata"]["namespace"]
    api.merge("TrainingRun", manifest["metadata"]["name"], {"status": {"stages": stages}}, namespace, "status")
    return made


def a_pod(api: Api, namespace: str, kubelet: Kubelet) -> None:
    """A pod of the run's first attempt to pretrain that says that it runs, on a node without a kubelet."""
    labels = {names.LABEL_RUN: "tiny", names.LABEL_STAGE: "pretrain", names.LABEL_ATTEMPT: "1"}
    spec = {"containers": [{"name": "pytorch", "image": "registry.example/nanotron"}], "nodeName": "node-1"}
    metadata = {"name": "tiny-pretrain-a1-master-0", "namespace": namespace, "labels": labels}
    kubelet.run_pod(api.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))


def test_a_log_that_no_kubelet_gives_is_one_sentence(
    api: Api, command: Command, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    a_run_that_trained(api, manifest)
    a_pod(api, namespace, kubelet)
    code, said, error = command("logs", "tiny")
    assert (code, said) == (3, "")
    assert error.count("\n") == 1, error


def test_without_the_operators_images_a_claim_is_not_visited(
    api: Api, command: Command, manifest: Object, tmp_path: Path
) -> None:
    a_run_that_trained(api, manifest)
    for words in (("logs", "tiny"), ("plot", "tiny"), ("get-model", "tiny", str(tmp_path / "model"))):
        code, said, error = command(*words)
        assert code != 0 and said == ""
        assert error.count("\n") == 1, error
    assert "name its tokenize image with --image" in command("plot", "tiny")[2]
    assert list(tmp_path.iterdir()) == []


def test_a_pod_that_nobody_starts_is_taken_away_again(
    api: Api, command: Command, namespace: str, manifest: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume_visit, "START_SECONDS", 1.0)
    a_run_that_trained(api, manifest)
    code, _, error = command("plot", "tiny", "--image", "registry.example/datatrove:1")
    assert code == 3
    assert "on claim quickstart did not start within 1 s: it is Pending." in error
    assert [one for one in api.list("Pod", namespace) if "deletionTimestamp" not in one["metadata"]] == []


def test_who_may_not_read_logs_is_told_which_verb_on_what(
    api: Api, command: Command, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    a_run_that_trained(api, manifest)
    a_pod(api, namespace, kubelet)
    api.kubectl("-n", namespace, "create", "role", "reader", "--verb=get,list",
                f"--resource={names.PLURAL}.{names.GROUP},pods")  # fmt: skip
    api.kubectl("-n", namespace, "create", "rolebinding", "reader", "--role=reader",
                f"--serviceaccount={namespace}:default")  # fmt: skip
    code, _, error = command("logs", "tiny", kubeconfig=as_account(api, tmp_path, namespace))
    assert code == 3
    assert "pods/log" in error and error.count("\n") == 1


def test_a_run_that_is_not_there_is_told_with_the_nearest(api: Api, command: Command, manifest: Object) -> None:
    api.create(manifest)
    for words in (("logs", "tini"), ("plot", "tini"), ("compare", "tiny", "tini"), ("get-model", "tini", "x")):
        code, _, error = command(*words)
        assert code == 4
        assert error.endswith(": did you mean tiny?\n")


def test_runs_are_compared_by_their_statuses_where_the_volume_is_not_read(
    api: Api, command: Command, manifest: Object
) -> None:
    a_run_that_trained(api, manifest)
    other = {**manifest, "metadata": {**manifest["metadata"], "name": "other"}}
    api.create(other | {"spec": {**manifest["spec"], "suspend": True}})
    code, said, error = command("compare", "tiny", "other", "-o", "yaml")
    assert code == 0
    assert error.endswith("So losses and scores are those of the status alone.\n")
    assert "suspend:\n    tiny: null\n    other: true\n" in said
