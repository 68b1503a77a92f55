"""A short pod on a claim, started with the user's own rights, and what it printed.

Through kubectl and not through the operator's client: it brings the user's contexts, login plugins and proxies along,
the operator's client has no call for a log, and a program is easily replaced by another of the same name in a test.
"""

from __future__ import annotations

import difflib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from trainingrun.api import names
from trainingrun.api.data import Placement
from trainingrun.api.training_run import Metadata
from trainingrun.commands.manifest import FAULTY, MISUSED, NOT_FOUND, CommandError
from trainingrun.manifests.meta import Child, Manifest
from trainingrun.manifests.pod import PodDefaults, PodPlan, pod_template
from trainingrun.stages.context import pod_defaults
from trainingrun.stages.settings import Settings

ROLE: Final = "tokenize"  # whose image is used: the smallest of the workers'
NAME: Final = "trainingrun-artifacts"  # not the operator's: its Service selects that
KEPT: Final = ("volume", "tmp")  # of a stage's mounts
RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
POLL_SECONDS: Final = 1.0
MOST_NAMES: Final = 10  # of claims in a sentence
# What the installation decides for pods: fields of Settings, by the variable of the operator's Deployment.
VARIABLES: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "IMAGES": ("images", json.loads),
    "IMAGE_PULL_POLICY": ("image_pull_policy", str),
    "IMAGE_PULL_SECRETS": ("image_pull_secrets", lambda text: tuple(filter(None, text.split(",")))),
    "RUN_AS_USER": ("run_as_user", int),
    "RUN_AS_GROUP": ("run_as_group", int),
    "FS_GROUP": ("fs_group", lambda text: int(text) if text else None),
    "RUNTIME_CLASS": ("runtime_class_name", lambda text: text or None),
    "POD_LABELS": ("pod_labels", json.loads),
    "POD_ANNOTATIONS": ("pod_annotations", json.loads),
}


class Kubectl:
    """The user's kubectl, in a namespace or, without one, in that of the context."""

    def __init__(
        self,
        namespace: str | None = None,
        context: str | None = None,
        kubeconfig: str | None = None,
        program: str = "kubectl",
    ) -> None:
        flags = (("--kubeconfig", kubeconfig), ("--context", context), ("-n", namespace))
        self.namespace = namespace
        self._words = [program, *(part for flag, value in flags if value for part in (flag, value))]

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What it prints; CommandError with its own words where it fails or is missing."""
        try:
            done = subprocess.run(
                self.command(*arguments), input=stdin, capture_output=True, text=True, check=False
            )  # fmt: skip
        except OSError as error:
            raise CommandError(f"{self._words[0]} can't be started ({error.strerror}): install it.", MISUSED) from error
        if done.returncode != 0:
            said = " ".join(done.stderr.split())[-1000:] or f"it ended with {done.returncode}"
            raise CommandError(f"kubectl {' '.join(arguments[:2])} failed: {said}")
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        """The words of a command, for whoever starts it."""
        return [*self._words, *arguments]

    def get(self, *arguments: str) -> Any:
        """An object or a list of objects."""
        return json.loads(self("get", *arguments, "-o", "json"))


def check_claim(kubectl: Kubectl, name: str) -> None:
    """CommandError, with the nearest names, where the namespace has no such claim."""
    try:
        kubectl("get", "persistentvolumeclaim", name, "-o", "name")
    except CommandError as error:
        if "NotFound" not in str(error):
            raise
        raise CommandError(_nearest_claim(kubectl, name), NOT_FOUND) from error


def _nearest_claim(kubectl: Kubectl, name: str) -> str:
    where = f"namespace {kubectl.namespace}" if kubectl.namespace else "this namespace"
    said = f"There is no claim {name} in {where}"
    try:
        known = sorted(one["metadata"]["name"] for one in kubectl.get("persistentvolumeclaims")["items"])
    except CommandError:  # who may look at one need not be allowed to list them
        return f"{said}."
    if near := difflib.get_close_matches(name, known, 1):
        return f"{said}: did you mean {near[0]}?"
    return f"{said}: it has {', '.join(known[:MOST_NAMES]) or 'none'}."


def installed(kubectl: Kubectl, image: str | None) -> Settings:
    """The installation's settings for pods, from the operator's Deployment; CommandError where there is no image.

    `image` must be one of the Deployment's, or where that may not be read is believed.
    """
    selector = f"app.kubernetes.io/name={names.MANAGED_BY}"
    try:
        found = kubectl.get("deployments", "--all-namespaces", "-l", selector)["items"]
        why = f"no Deployment with the label {selector} sets TRAININGRUN_IMAGES"
    except CommandError as error:
        found, why = [], str(error)
    known = [settings for one in found for settings in _settings(one)]
    if not known and image:
        return Settings(images={ROLE: image})
    if not known:
        raise CommandError(f"The operator's images are not known, because {why}: name its tokenize image with --image.")
    fitting = [one for one in known if image in (None, *one.images.values())]
    if not fitting:
        raise CommandError(f"The operator has no image {image}: leave --image out to use its own.", MISUSED)
    return Settings(**{**vars(fitting[0]), "images": {ROLE: image or fitting[0].images[ROLE]}})


def _settings(deployment: Any) -> Iterator[Settings]:
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        values = {one["name"].removeprefix("TRAININGRUN_"): one.get("value") or "" for one in container.get("env", ())}
        try:
            fields = {field: read(values[name]) for name, (field, read) in VARIABLES.items() if name in values}
        except ValueError as error:
            raise CommandError(f"The operator's Deployment has a variable that can't be read: {error}.") from error
        if ROLE in fields.get("images", {}):
            yield Settings(**fields)


def volume_pod(claim: str, settings: Settings, arguments: Sequence[str], seconds: int) -> Manifest:
    """A pod for `python -m trainingrun_workers artifacts …` with a claim, as a stage's but without token and input."""
    run = Metadata(name=NAME)
    plan = PodPlan(Child(run, "artifacts", 0), "artifacts", settings.images[ROLE], claim, Placement())
    spec = pod_template(plan, _defaults(settings))["spec"]
    del spec["serviceAccountName"]  # the namespace's default: it gets no token, and the stages' own may not be there
    spec["activeDeadlineSeconds"] = seconds  # also where nobody is left to delete it
    spec["volumes"] = [one for one in spec["volumes"] if one["name"] in KEPT]
    (container,) = spec["containers"]
    container["volumeMounts"] = [one for one in container["volumeMounts"] if one["name"] in KEPT]
    container["args"] = ["artifacts", *arguments]
    labels = {**settings.pod_labels, "app.kubernetes.io/name": NAME, names.LABEL_MANAGED_BY: names.MANAGED_BY}
    metadata = {"generateName": f"{NAME}-", "labels": labels, "annotations": settings.pod_annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _defaults(settings: Settings) -> PodDefaults:
    return replace(pod_defaults(settings), environment={}, default_resources=RESOURCES)


def printed(kubectl: Kubectl, manifest: Manifest, seconds: float, poll: float = POLL_SECONDS) -> dict[str, Any]:
    """Run a pod to its end, delete it whatever happens, and yield the JSON document that it printed."""
    made = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(manifest)))
    name = made["metadata"]["name"]
    try:
        phase = _ended(kubectl, name, seconds, poll)
        text = kubectl("logs", name)
    finally:
        kubectl("delete", "pod", name, "--wait=false", "--ignore-not-found")
    if phase != "Succeeded":
        said = text.strip().splitlines()[-1:] or ["it left no word"]
        raise CommandError(f"The pod {name} on the claim failed: {said[0]}", FAULTY)
    try:
        return dict(json.loads(text[text.index("{") :]))
    except ValueError as error:
        raise CommandError(f"The pod {name} printed no JSON ({error}): is its image of this version?") from error


def _ended(kubectl: Kubectl, name: str, seconds: float, poll: float) -> str:
    until = time.monotonic() + seconds
    while True:
        pod = kubectl.get("pod", name)
        phase = str(pod.get("status", {}).get("phase"))
        if phase in ("Succeeded", "Failed"):
            return phase
        if time.monotonic() > until:
            raise CommandError(f"The pod {name} did not end within {seconds:.0f} s: {holds_up(pod)}.")
        time.sleep(poll)


def holds_up(pod: Any) -> str:
    """Why a pod has not ended, in the cluster's words."""
    status = pod.get("status", {})
    waiting = [one["state"]["waiting"] for one in status.get("containerStatuses", ()) if "waiting" in one["state"]]
    refused = [one for one in status.get("conditions", ()) if one["status"] == "False" and one.get("message")]
    said = [f"{one.get('reason')}: {one.get('message', '')}".rstrip(": ") for one in (*waiting, *refused)]
    return said[0].rstrip(".") if said else f"it is {status.get('phase')}"
