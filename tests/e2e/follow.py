"""Watching a run go by: a line for each thing that changes."""

import time
from collections.abc import Iterable
from typing import Any

from e2e.installation import get, kubectl, say


def wait_for_end(name: str, namespace: str, seconds: float) -> dict[str, Any]:
    """The run when it has ended; prints what happens meanwhile, and TimeoutError after so many seconds."""
    deadline = time.monotonic() + seconds
    shown: dict[str, str] = {}
    while time.monotonic() < deadline:
        run: dict[str, Any] = get("trainingrun", name, "-n", namespace)
        for key, line in _lines(run.get("status") or {}):
            if shown.get(key) != line:
                shown[key] = line
                say(line)
        if (run.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return run
        time.sleep(2)
    print(kubectl("describe", "trainingrun", name, "-n", namespace))
    raise TimeoutError(f"Run {name} had not ended after {seconds:.0f} s.")


def wait_for_all(names: Iterable[str], namespace: str, seconds: float) -> dict[str, dict[str, Any]]:
    """Several runs by name when all have ended; prints what happens meanwhile, each line behind its run's name."""
    deadline = time.monotonic() + seconds
    shown: dict[tuple[str, str], str] = {}
    waited_for = set(names)
    while time.monotonic() < deadline:
        listed = get("trainingruns", "-n", namespace)["items"]
        runs = {one["metadata"]["name"]: one for one in listed if one["metadata"]["name"] in waited_for}
        for name, run in sorted(runs.items()):
            for key, line in _lines(run.get("status") or {}):
                if shown.get((name, key)) != line:
                    shown[name, key] = line
                    say(f"{name:<8} {line}")
        phases = [(one.get("status") or {}).get("phase") for one in runs.values()]
        if len(runs) == len(waited_for) and set(phases) <= {"Succeeded", "Failed"}:
            return runs
        time.sleep(2)
    print(kubectl("describe", "trainingruns", "-n", namespace))
    raise TimeoutError(f"Runs {', '.join(sorted(waited_for))} had not all ended after {seconds:.0f} s.")


def _lines(status: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """What there is to say, each under the key whose newest line it is."""
    for stage in status.get("stages", []):
        if stage["phase"] in ("Running", "Succeeded", "Failed") or stage.get("attempt"):
            yield stage["name"], f"{stage['name']:<20} {stage['phase']:<10} {_progress(stage)}"
        if stage.get("restarts") or stage["phase"] == "Failed":
            yield f"{stage['name']} trouble", f"{stage['name']:<20} {stage.get('message', '')}"
    for checkpoint in status.get("checkpoints", []):
        if checkpoint.get("scores") is not None:
            scores = "  ".join(f"{task} {value:.4f}" for task, value in sorted(checkpoint["scores"].items()))
            yield f"checkpoint {checkpoint['step']}", f"{'step ' + str(checkpoint['step']):<20} {scores}"
    for condition in status.get("conditions", []):
        if condition["type"] == "Stalled" and condition["status"] == "True":
            yield "stalled", f"{'waits for a person':<20} {condition['message']}"


def _progress(stage: dict[str, Any]) -> str:
    progress = stage.get("progress")
    if not progress or stage["phase"] != "Running":
        return ""
    parts = [f"{progress['step']}/{progress['total']} {progress['unit']}"]
    if "loss" in progress:
        parts.append(f"loss {progress['loss']:.3f}")
    if "tokensPerSecond" in progress:
        parts.append(f"{progress['tokensPerSecond']:.0f} tokens/s")
    if "etaSeconds" in progress:
        parts.append(f"{progress['etaSeconds']} s left")
    return "  ".join(parts)
