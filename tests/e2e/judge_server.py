"""A judge that is served in the cluster: `transformers serve` before a tiny model that has learned its verdicts."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from e2e import volume
from e2e.installation import CACHE, REPOSITORY, apply, kubectl
from engine.judge_server import LEARN, SERVE
from engine.release_runs import TEMPLATE
from trainingrun_workers.judge.verdicts import question

NAME: Final = "judge-server"
FOLDER: Final = "judging"  # on the volume
REQUIREMENTS: Final = REPOSITORY / "tests" / "engine" / NAME / "requirements.txt"
PROMPTS: Final = {"Where is Rome?": ("In Italy.", "In a box."), "How many are two and two?": ("Four.", "A cat.")}
FIRST, SECOND = "The first is right.\n[[A]]", "The second is right.\n[[B]]"


def put(data: volume.Visit, scratch: Path) -> None:
    """Put onto the volume what the server needs: its packages, which no image has, the lessons, and the prompts."""
    shutil.copytree(_packages(), scratch / "packages")
    lessons = {f"/volume/{FOLDER}/{name}": turns for name, turns in _lessons().items()}
    (scratch / "lessons.json").write_text(json.dumps(lessons))
    # One process, since reading torch and transformers is what takes longest.
    (scratch / "serve.py").write_text(f"{LEARN}\nsys.argv[1:] = sys.argv[4:]\n{SERVE}\n")
    (scratch / "prompts.jsonl").write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    data.put(scratch, FOLDER)


def _lessons() -> dict[str, list[tuple[str, str]]]:
    """What each model learns by heart: two of them answers, the judge what is so, whichever answer is shown first."""
    turns = [
        (question(prompt, None, first, second, None), FIRST if first == right else SECOND)
        for prompt, (right, wrong) in PROMPTS.items()
        for first, second in ((right, wrong), (wrong, right))
    ]
    answers = {name: [(prompt, both[place]) for prompt, both in PROMPTS.items()] for place, name in enumerate(MODELS)}
    return answers | {"judge": turns}


MODELS: Final = ("right", "wrong")


def _packages() -> Path:
    """The server's packages for the images' Python, fetched where they are missing."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = CACHE / "packages" / f"{NAME}-{digest}"
    if not folder.is_dir():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, f"--target={unfinished}", f"--requirement={REQUIREMENTS}"], check=True)
        unfinished.rename(folder)
    return folder


def start(namespace: str, claim: str, image: str) -> None:
    """Start the pod, which learns and then serves, and the service before it."""
    learn = ["/volume/tokenizer", TEMPLATE, "lessons.json"]
    serve = ["serve", "--host", "0.0.0.0", "--port", "8000", "--device", "cpu"]
    pod = volume.visitor(NAME, namespace, claim, image, ["python", "-u", "serve.py", *learn, *serve])
    pod["metadata"]["labels"] = {"app": NAME}
    pod["spec"]["volumes"].append({"name": "scratch", "emptyDir": {}})
    (container,) = pod["spec"]["containers"]
    variables = {"PYTHONPATH": f"/volume/{FOLDER}/packages", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    variables |= {"HOME": "/tmp", "HF_HOME": "/tmp/hub"}
    container |= {
        "workingDir": f"/volume/{FOLDER}",
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1, "timeoutSeconds": 5},
        "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}},
    }
    container["volumeMounts"].append({"name": "scratch", "mountPath": "/tmp"})
    apply(pod, _service(namespace))


def _service(namespace: str) -> dict[str, Any]:
    spec = {"selector": {"app": NAME}, "ports": [{"port": 8000}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": namespace}, "spec": spec}


def wait(namespace: str, seconds: int) -> None:
    """Return once it answers; what it says is printed where it doesn't."""
    condition = [f"pod/{NAME}", "--for=condition=Ready", f"--timeout={seconds}s"]
    try:
        kubectl("wait", "-n", namespace, *condition, timeout=seconds + 30)
    except RuntimeError:
        print(log(namespace)[-4000:])
        raise


def log(namespace: str) -> str:
    """What the server has said."""
    return kubectl("logs", "-n", namespace, NAME)


def stop(namespace: str) -> None:
    """Delete pod and service."""
    kubectl("delete", f"pod/{NAME}", f"service/{NAME}", "-n", namespace, "--wait=false", "--ignore-not-found")
