"""A run's models are judged by a model that is served in the same cluster, by a real server of the protocol."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e import judge_server, volume
from e2e.installation import apply, kubectl
from e2e.trial import CLAIM, NAMESPACE, Trial

KEY = "sk-a-key-of-the-cluster-tests"
ADDRESS = {"JUDGE_BASE_URL": f"http://{judge_server.NAME}:8000/v1", "JUDGE_MODEL": "/volume/judging/judge"}


@pytest.fixture
def served(data: volume.Visit, images: dict[str, str], tmp_path: Path) -> Iterator[None]:
    """The server's pod, on its way: what it serves it has yet to learn."""
    judge_server.put(data, tmp_path / "judging")
    judge_server.start(NAMESPACE, CLAIM, images["evaluate"])
    yield
    judge_server.stop(NAMESPACE)
    kubectl("delete", "secret", "judge", "-n", NAMESPACE, "--ignore-not-found")


def judged(run: Trial) -> Trial:
    """Two models of the volume are judged; nothing else of the run starts, which would take the server's cores."""
    run.spec["tokenize"]["nodeSelector"] = {"trainingrun.dev/no-such-node": "true"}
    between = [{"name": name, "path": f"{judge_server.FOLDER}/{name}"} for name in judge_server.MODELS]
    run.spec["judge"] = {
        "secretName": "judge", "prompts": f"{judge_server.FOLDER}/prompts.jsonl", "between": between, "gpus": 0,
        "maxTokens": 16, "verdictTokens": 24, "maxUnparsable": 0, "resources": run.spec["evaluate"]["resources"],
    }  # fmt: skip
    return run


def test_a_judge_stage_waits_for_its_secret_and_is_then_answered_by_a_server_in_the_cluster(
    trial: Callable[..., Trial], data: volume.Visit, served: None
) -> None:
    run = judged(trial("judged")).apply()
    run.until("it says that it can't start", lambda: run.stage("judge").get("reason") == "ContainerCannotStart", 60)
    assert 'secret "judge" not found' in run.stage("judge")["message"]

    judge_server.wait(NAMESPACE, 300)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "judge", "namespace": NAMESPACE}}
    apply(secret | {"stringData": ADDRESS | {"JUDGE_API_KEY": KEY}})
    run.until_stage("judge", "Succeeded", 120)
    stage = run.stage("judge")
    assert (stage["attempt"], stage["output"]["verdicts"], stage["output"]["firstRate"]) == (1, "4", "0.5")
    assert stage["output"]["right : wrong"].startswith("2 : 0, 0 tied, 0 disagreements")

    said = [json.loads(line) for line in data.sh(f"cat {stage['folder']}/verdicts.jsonl").splitlines()]
    assert {one["reply"] for one in said} == {judge_server.FIRST, judge_server.SECOND}
    assert judge_server.log(NAMESPACE).count("[Request received]") == len(said) == 4
    assert data.sh(f"grep -rlF {KEY} {stage['folder']} runs || true") == ""
