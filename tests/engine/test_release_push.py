"""Uploads by the real huggingface_hub, to a stand-in for a hub on this machine; it is not the real one."""

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.hub_server import TOKEN, HubServer

ROOT = Path(__file__).parents[2]
PUSH = """
import json, sys
from pathlib import Path
from trainingrun_workers.errors import StageError
from trainingrun_workers.offline import go_offline
from trainingrun_workers.release.push import pushed
go_offline()
folder = Path(sys.argv[1])
try:
    print(json.dumps(pushed(folder, folder / "model", {"repository": "org/tiny", "private": True}, sys.argv[2])))
except StageError as error:
    print(json.dumps([int(error.exit_code), error.reason, error.message]))
"""


@dataclasses.dataclass
class Pod:
    """A pod that pushes one folder to one hub."""

    python: str
    folder: Path
    endpoint: str
    token: str | None = TOKEN

    def push(self, checksum: str = "1") -> Any:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT / "workers"),
            "HF_ENDPOINT": self.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }  # fmt: skip
        if self.token is not None:
            environment["HF_TOKEN"] = self.token
        done = subprocess.run(
            [self.python, "-c", PUSH, str(self.folder), checksum], env=environment, check=True, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        return json.loads(done.stdout)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    server.close()


@pytest.fixture
def pod(engine_python: Callable[[str], Path], tmp_path: Path, hub: HubServer) -> Pod:
    model = tmp_path / "x" / "model"
    model.mkdir(parents=True)
    (model / "README.md").write_text("# tiny\n")
    (model / "config.json").write_text("{}\n")
    (model / "model.safetensors").write_bytes(bytes(range(256)) * 5000)
    return Pod(str(engine_python("torch")), tmp_path / "x", hub.address)


def test_a_private_repository_is_made_and_has_the_whole_folder(pod: Pod, hub: HubServer) -> None:
    answer = pod.push()
    repository = hub.repositories["org/tiny"]
    assert repository["private"]
    assert repository["files"] == {one.name: one.read_bytes() for one in (pod.folder / "model").iterdir()}
    assert answer["repository"] == "org/tiny"
    assert answer["url"].startswith(f"{hub.address}/org/tiny/commit/")
    assert json.loads((pod.folder / "PUSHED.json").read_text()) == answer


def test_what_was_pushed_is_not_pushed_again(pod: Pod, hub: HubServer) -> None:
    first = pod.push()
    hub.close()
    assert pod.push() == first


def test_an_attempt_that_died_before_its_note_makes_no_second_commit(pod: Pod, hub: HubServer) -> None:
    first = pod.push()
    (pod.folder / "PUSHED.json").unlink()
    assert pod.push() == first
    assert hub.repositories["org/tiny"]["commits"] == 1


def test_another_content_is_another_commit_of_what_differs(pod: Pod, hub: HubServer) -> None:
    pod.push("1")
    (pod.folder / "model" / "README.md").write_text("# better\n")
    pod.push("2")
    assert hub.repositories["org/tiny"]["commits"] == 2
    assert hub.repositories["org/tiny"]["files"]["README.md"] == b"# better\n"


def refused(pod: Pod, exit_code: int, reason: str) -> str:
    code, found, message = pod.push()
    assert (code, found) == (exit_code, reason), message
    assert message.endswith(".")
    assert not (pod.folder / "PUSHED.json").exists()
    return str(message)


def test_a_secret_without_token_is_refused(pod: Pod) -> None:
    pod.token = None
    assert "HF_TOKEN" in refused(pod, 78, "PushTokenMissing")


def test_a_wrong_token_is_refused_and_not_repeated_in_the_message(pod: Pod) -> None:
    pod.token = "hf_of_somebody_else"
    message = refused(pod, 78, "PushTokenRefused")
    assert "put a valid one into the Secret's key HF_TOKEN" in message
    assert pod.token not in message


@pytest.mark.parametrize(
    ("answer", "exit_code", "reason"),
    [(403, 78, "PushForbidden"), (404, 78, "PushRepositoryMissing"), (400, 78, "PushRefused"), (503, 75, "HubAway")],
)
def test_what_the_hub_answers_is_one_sentence(
    pod: Pod, hub: HubServer, answer: int, exit_code: int, reason: str
) -> None:
    hub.answer = answer
    message = refused(pod, exit_code, reason)
    assert hub.address in message
    assert "released on the volume" in message


def test_a_hub_that_is_away_is_tried_again(pod: Pod, hub: HubServer) -> None:
    hub.close()
    assert "can't be reached" in refused(pod, 75, "HubAway")
    hub.answer = None
