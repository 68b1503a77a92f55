"""In the place of kubectl: notes the pods that it makes, and runs in them what it is told to, on a folder."""

import json
import os
import subprocess
import sys
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


def main(words: list[str]) -> None:
    while words[0] in ("-n", "--context", "--kubeconfig"):
        words = words[2:]
    if words[:2] == ["get", "deployments"]:
        deployments()
    elif words[:2] == ["get", "persistentvolumeclaim"]:
        claim(words[2])
    elif words[:2] == ["get", "pod"]:
        print(json.dumps({"status": {"phase": "Running"}}))
    elif words[0] == "create":
        create()
    elif words[:2] == ["delete", "pod"]:
        (ROOT / "pods" / words[2]).unlink()
    elif words[0] == "exec":
        execute(*words[1:])
    else:
        sys.exit(f"unknown: {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
