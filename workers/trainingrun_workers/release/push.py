"""Uploads a released folder to a hub, in a process of its own: the rest of the stage has the hub's library offline.

`python -m trainingrun_workers.release.push FOLDER REPOSITORY private|public` prints {"repository", "commit", "url"}, or
{"exitCode", "reason", "message"} where that is not to be had. HF_TOKEN is the token, HF_ENDPOINT the hub if not the
public one. Files that the repository has already are not sent again, and nothing is committed where it has all of them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import ExitCode
from trainingrun_workers.errors import BadConfig, Retry, StageError
from trainingrun_workers.volume import write_atomic

PUSHED: Final = "PUSHED.json"  # beside the released folder: what was pushed where
OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
CHECK: Final = "check release.push.repository and that the token may write to it"
SAID: Final = {
    401: ("PushTokenRefused", "the hub at {hub} refuses the token: put a valid one into the Secret's key HF_TOKEN"),
    403: ("PushForbidden", "the hub at {hub} lets the token not write to {repository}: " + CHECK),
    404: ("PushRepositoryMissing", "the hub at {hub} has no {repository}: " + CHECK),
}


def pushed(folder: Path, model: Path, push: dict[str, Any], checksum: str) -> dict[str, Any]:
    """Upload `model` once, and yield {"repository", "commit", "url", "sha256"}; `folder` keeps it for a repetition.

    BadConfig where the hub refuses, Retry where it can't be reached.
    """
    known = _known(folder)
    if known.get("sha256") == checksum and known.get("repository") == push["repository"]:
        return known
    found = _in_process(model, push)
    done = {**found, "sha256": checksum}
    write_atomic(folder / PUSHED, json.dumps(done, indent=1, sort_keys=True) + "\n")
    return done


def _known(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / PUSHED).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _in_process(model: Path, push: dict[str, Any]) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if key not in OFFLINE}
    visible = "private" if push.get("private", True) else "public"
    command = [sys.executable, "-m", __name__, str(model), push["repository"], visible]
    done = subprocess.run(command, env=environment, check=False, text=True, stdout=subprocess.PIPE)
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Retry(
            "PushFailed",
            f"The upload to {push['repository']} ended with exit code {done.returncode}: see the pod's log.",
        ) from error
    if "reason" in answer:
        kind = Retry if answer["exitCode"] == int(ExitCode.RETRY) else BadConfig
        raise kind(answer["reason"], answer["message"])
    return answer


def upload(model: Path, repository: str, private: bool) -> dict[str, Any]:
    """Make the repository where it is missing, and commit what differs; yields {"repository", "commit", "url"}."""
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = os.environ.get("HF_TOKEN")
    if not token:
        raise BadConfig(
            "PushTokenMissing", "The Secret of release.push has no key HF_TOKEN: add a token that may write to the hub."
        )
    api = HfApi(token=token)
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repository, folder_path=model, commit_message=f"Release {model.parent.name}")
    except HfHubHTTPError as error:
        raise _said(error.response.status_code, str(error), api.endpoint, repository) from error
    except (httpx.TransportError, OSError) as error:
        raise _away(f"the hub at {api.endpoint} can't be reached ({type(error).__name__}: {error})") from error
    return {"repository": repository, "commit": commit.oid, "url": str(commit.commit_url)}


def _said(status: int, text: str, hub: str, repository: str) -> StageError:
    if status in SAID:
        reason, sentence = SAID[status]
        return BadConfig(reason, _sentence(sentence.format(hub=hub, repository=repository)))
    if status in (408, 429) or status >= 500:
        return _away(f"the hub at {hub} answers {status}")
    last = " ".join(text.split())[-300:]
    return BadConfig("PushRefused", _sentence(f"the hub at {hub} refuses the upload to {repository} ({last}): {CHECK}"))


def _away(what: str) -> Retry:
    return Retry("HubAway", _sentence(f"{what}; the next attempt goes on from there"))


def _sentence(what: str) -> str:
    return f"The model is released on the volume, but not uploaded, because {what}."


def main(arguments: list[str]) -> int:
    """Upload and print what came of it as JSON."""
    model, repository, visible = arguments
    try:
        answer = upload(Path(model), repository, visible == "private")
    except StageError as error:
        answer = {"exitCode": int(error.exit_code), "reason": error.reason, "message": error.message}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
