"""In the place of kubectl: notes the pods that it makes, and runs in them what it is told to, on a folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(sys.argv[0]).resolve().parents[1]
IMAGES = {"tokenize": "registry.example/datatrove:1"}
ENVIRONMENT = {
    "PATH": os.environ["PATH"], "PYTHONPATH": os.environ["WORKERS"], "TRAININGRUN_VOLUME": str(ROOT / "volume"),
}  # fmt: skip


def deployments() -> None:
    container = {"env": [{"name": "TRAININGRUN_IMAGES", "value": json.dumps(IMAGES)}]}
    print(json.dumps({"items": [{"spec": {"template": {"spec": {"containers": [container]}}}}]}))


def claim(name: str) -> None:
    if name != "quickstart":
        sys.exit(f'Error from server (NotFound): persistentvolumeclaims "{name}" not found')
    print(name)


def claims() -> None:
    if (ROOT / "no-list").exists():
        sys.exit("Error from server (Forbidden): persistentvolumeclaims is forbidden")
    print(json.dumps({"items": [{"metadata": {"name": "quickstart"}}]}))


def create() -> None:
    manifest, name = sys.stdin.read(), f"visit-{len(list((ROOT / 'made').iterdir()))}"
    for folder in ("pods", "made"):
        (ROOT / folder / name).write_text(manifest)
    print(json.dumps({"metadata": {"name": name}}))


def run_here(words: tuple[str, ...]) -> NoReturn:
    os.environ.update(ENVIRONMENT)
    sys.path.insert(0, ENVIRONMENT["PYTHONPATH"])
    from trainingrun_workers.__main__ import main as workers

    sys.exit(workers(list(words)))


def execute(pod: str, *words: str) -> None:
    assert (ROOT / "pods" / pod).is_file() and words[:4] == ("--", "python", "-m", "trainingrun_workers"), words
    command = [sys.executable, "-m", *words[3:]]
    cut = ROOT / "cut"
    if words[5] != "send" or not cut.is_file():
        run_here(words[4:])
    count, *others = cut.read_text().split()
    cut.write_text(" ".join(others))
    if not others:
        cut.unlink()
    data = subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE).stdout
    sys.stdout.buffer.write(data[: int(count)])
    sys.stdout.flush()
    if len(data) > int(count):
        sys.exit("error: connection to the node was lost")


def get_pod(_: str) -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    status = {"phase": os.environ.get("PHASE", "Running"), "containerStatuses": [waiting]}
    print(json.dumps({"status": status}))


def logs(_: str) -> None:
    print("artifacts: error: argument COMMAND: invalid choice: 'wait' (choose from list, remove)")


ANSWERS: dict[tuple[str, ...], Callable[..., None]] = {
    ("get", "deployments"): lambda *_: deployments(),
    ("get", "persistentvolumeclaim"): lambda name, *_: claim(name),
    ("get", "persistentvolumeclaims"): lambda *_: claims(),
    ("get", "pod"): lambda name, *_: get_pod(name),
    ("delete", "pod"): lambda name, *_: (ROOT / "pods" / name).unlink(),
    ("create",): lambda *_: create(),
    ("logs",): logs,
    ("exec",): execute,
}


def main(words: list[str]) -> None:
    while words[0] in ("-n", "--context", "--kubeconfig"):
        words = words[2:]
    for asked, answer in ANSWERS.items():
        if tuple(words[: len(asked)]) == asked:
            return answer(*words[len(asked) :])
    sys.exit(f"unknown: {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
