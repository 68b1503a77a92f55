"""The chart as helm renders it."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from builders import REPOSITORY
from trainingrun.controller.settings import PREFIX
from trainingrun.stages.settings import ROLES

CHART = REPOSITORY / "helm" / "trainingrun"
IMAGES = {role: f"registry.example/{role}@sha256:{'1' * 64}" for role in ("operator", *ROLES)}

Object = dict[str, Any]


def run(helm: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(helm), *arguments], capture_output=True, text=True, check=False)


def images(leave_out: str = "") -> list[str]:
    return ["--set", ",".join(f"images.{role}={image}" for role, image in IMAGES.items() if role != leave_out)]


def template(helm: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(helm, "template", "tr", str(CHART), "--namespace", "system", *images(), *arguments)


def render(helm: Path, *arguments: str) -> list[Object]:
    done = template(helm, *arguments)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def pods(objects: list[Object]) -> dict[str, Object]:
    """The spec of each pod that the chart itself runs, by the kind of what makes it."""
    found = {one["kind"]: one["spec"]["template"]["spec"] for one in of_kind(objects, "Deployment", "Job")}
    return found | {one["kind"]: one["spec"] for one in of_kind(objects, "Pod")}


def environment(objects: list[Object]) -> dict[str, str]:
    (container,) = pods(objects)["Deployment"]["containers"]
    return {one["name"]: one["value"] for one in container["env"] if one["name"].startswith(PREFIX)}
