"""Findings about what must be installed: the definition, the operator and its images, the PyTorchJob controller."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import trainingrun
from trainingrun.api import names
from trainingrun.api.crd import schema
from trainingrun.commands.doctor.facts import Facts, Object, Unseen, seen, variable
from trainingrun.commands.doctor.findings import Finding, fail, ok, warn
from trainingrun.commands.doctor.needs import Needs

OLDEST: Final = (1, 30)  # Kubernetes with ValidatingAdmissionPolicy
TRIED: Final = ("1.8", "1.9")  # training-operator
MOST_FIELDS: Final = 5  # that a message names
CRDS: Final = "kubectl apply --server-side -f crds/ of the chart's version"
INSTALL: Final = (
    "Install the chart: helm install trainingrun helm/trainingrun -n trainingrun-system --create-namespace."
)
WITHOUT_DIGEST: Final = re.compile(r"(^|/)[^/:@]+$|:latest$")  # no tag, or one that moves


def server(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether the API server is new enough."""
    match = re.match(r"v?(\d+)\.(\d+)", facts.version)
    if match is None:
        yield warn("kubernetes", f"The API server says its version is {facts.version!r}.", "Look at it by hand.")
    elif (int(match.group(1)), int(match.group(2))) < OLDEST:
        yield fail(
            "kubernetes",
            f"The API server is {facts.version}, and the chart needs 1.30.",
            "Upgrade the cluster to 1.30.",
        )
    else:
        yield ok("kubernetes", f"The API server is {facts.version}.")


def definition(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether the TrainingRun that is served has the fields that this command knows."""
    served = facts.groups.get(names.GROUP, ())
    if not served:
        yield fail("definition", f"The cluster knows no {names.KIND}.", f"Install the definition: {CRDS}.")
        return
    if names.VERSION not in served:
        yield fail(
            "definition",
            f"The cluster serves {names.KIND} as {', '.join(served)}, and this command knows {names.VERSION}.",
            f"Use the command of the cluster's version, or install the definition of this one: {CRDS}.",
        )
        return
    if facts.run_fields is None or isinstance(facts.run_fields, Unseen):
        why = facts.run_fields.why if isinstance(facts.run_fields, Unseen) else "Its schema isn't served."
        yield warn(
            "definition", f"{names.API_VERSION} is served, but its fields can't be seen: {why}", "Ask for the rights."
        )
        return
    yield from _compared(facts.run_fields, frozenset(fields_of(schema())))


def _compared(theirs: frozenset[str], ours: frozenset[str]) -> Iterator[Finding]:
    lacking, more = sorted(ours - theirs), sorted(theirs - ours)
    if lacking:
        yield fail(
            "definition",
            f"The cluster's {names.KIND} lacks {_some(lacking)}, which this command ({trainingrun.__version__}) knows.",
            f"Upgrade the definition: {CRDS}; helm never does.",
        )
    elif more:
        yield warn(
            "definition",
            f"The cluster's {names.KIND} has {_some(more)}, which this command ({trainingrun.__version__}) lacks.",
            "Upgrade the command to the cluster's version.",
        )
    else:
        yield ok("definition", f"{names.API_VERSION} is served with every field that this command knows.")


def _some(fields: list[str]) -> str:
    more = f" and {len(fields) - MOST_FIELDS} more fields" if len(fields) > MOST_FIELDS else ""
    return ", ".join(fields[:MOST_FIELDS]) + more


def fields_of(node: Mapping[str, Any], path: str = "spec") -> Iterator[str]:
    """The paths of all fields of a run's spec in an OpenAPI schema, of the whole object at first."""
    whole = node.get("properties", {}).get("spec") if path == "spec" else node
    yield from _below(whole or {}, path)


def _below(node: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, child in (node.get("properties") or {}).items():
        yield f"{path}.{name}"
        yield from _below(child, f"{path}.{name}")
    items = node.get("items")
    if isinstance(items, dict):
        yield from _below(items, f"{path}[]")


def operator(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether the operator runs, is of this version, and looks at the namespace."""
    if isinstance(facts.operators, Unseen):
        yield warn("operator", f"The operator's Deployment can't be seen: {facts.operators.why}", "Ask for the rights.")
        return
    if not facts.operators:
        yield fail("operator", "No operator is installed.", INSTALL)
    for one in facts.operators:
        yield from _operator(one, facts.namespace)
    if len(facts.operators) > 1:
        where = ", ".join(_called(one) for one in facts.operators)
        yield warn(
            "operator", f"There are {len(facts.operators)} of them: {where}.",
            "Let each watch namespaces of its own (watch.namespaces), or uninstall all but one.",
        )  # fmt: skip


def _called(one: Object) -> str:
    return f"{one['metadata'].get('namespace', 'default')}/{one['metadata']['name']}"


def _operator(one: Object, namespace: str) -> Iterator[Finding]:
    called, status = _called(one), one.get("status") or {}
    version = (one["metadata"].get("labels") or {}).get("app.kubernetes.io/version", "?")
    watched = [name for name in (variable(one, "TRAININGRUN_NAMESPACES") or "").split(",") if name]
    if not status.get("availableReplicas"):
        space = one["metadata"].get("namespace", "default")
        yield fail(
            "operator", f"{called} has no pod that is ready.",
            f"Look why: kubectl -n {space} describe pods -l app.kubernetes.io/name={names.MANAGED_BY}.",
        )  # fmt: skip
    elif watched and namespace not in watched:
        yield fail(
            "operator", f"{called} looks at {', '.join(watched)}, not at namespace {namespace}.",
            f"Add {namespace} to watch.namespaces in the chart's values, or use another namespace.",
        )  # fmt: skip
    elif version != trainingrun.__version__:
        yield warn(
            "operator", f"{called} runs as version {version}, and this command is {trainingrun.__version__}.",
            "Upgrade the older of the two.",
        )  # fmt: skip
    else:
        yield ok("operator", f"{called} runs, version {version}.")


def images(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether the images are named so that they stay the same, and the pull secrets are there."""
    for one in seen(facts.operators):
        found = _images(one)
        moving = sorted(role for role, image in found.items() if WITHOUT_DIGEST.search(image))
        if moving:
            yield warn(
                "images", f"Without a tag, or with latest: {', '.join(f'{role} {found[role]}' for role in moving)}.",
                "Name a tag, or better a digest, in the chart's images: a run restarted later may get another image.",
            )  # fmt: skip
        elif found:
            registries = sorted({_registry(image) for image in found.values()})
            yield ok("images", f"{len(found)} are named, of {', '.join(registries)}.")
    yield from _pull_secrets(facts)


def _images(one: Object) -> dict[str, str]:
    custom = {f"custom.{entry}": image for entry, image in (custom_images(one) or {}).items()}
    return (_table(one, "TRAININGRUN_IMAGES") or {}) | custom


def custom_images(one: Object) -> dict[str, str] | None:
    """The images of custom engines that an installation names, by entry; None where it does not say."""
    return _table(one, "TRAININGRUN_CUSTOM_ENGINES")


def _table(one: Object, name: str) -> dict[str, str] | None:
    try:
        found = json.loads(variable(one, name) or "null")
    except ValueError:
        return None
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else None


def _registry(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _pull_secrets(facts: Facts) -> Iterator[Finding]:
    for name in pull_secrets(facts.operators):
        found = facts.secrets.get(name, Unseen("It was not looked for."))
        if isinstance(found, Unseen):
            yield warn(
                "images", f"Whether the pull secret {name} is there can't be seen: {found.why}", "Ask for the rights."
            )
        elif not found:
            yield fail(
                "images", f"The pull secret {name}, which the chart names, is not in namespace {facts.namespace}.",
                f"Make it: kubectl -n {facts.namespace} create secret docker-registry {name} --docker-server=… .",
            )  # fmt: skip
        else:
            yield ok("images", f"The pull secret {name} is there.")


def pull_secrets(operators: Any) -> list[str]:
    """The names of the pull secrets that the installations name."""
    given = [variable(one, "TRAININGRUN_IMAGE_PULL_SECRETS") or "" for one in seen(operators)]
    return list(dict.fromkeys(name for text in given for name in text.split(",") if name))


def pytorchjob(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether PyTorchJobs are known, and something carries them out."""
    if not facts.pytorchjobs:
        yield fail(
            "pytorchjob", f"The cluster knows no PyTorchJob of {names.KUBEFLOW_API_VERSION}.",
            "Install Kubeflow's training-operator 1.8 or 1.9.",
        )  # fmt: skip
        return
    if isinstance(facts.training_operators, Unseen):
        yield warn(
            "pytorchjob", f"PyTorchJobs are known; their controller can't be seen: {facts.training_operators.why}",
            "Ask for the rights.",
        )  # fmt: skip
        return
    if not facts.training_operators:
        yield warn(
            "pytorchjob", "PyTorchJobs are known, but no Deployment has the label of their controller.",
            "Make sure that Kubeflow's training-operator runs; without it gangs never start.",
        )  # fmt: skip
    for one in facts.training_operators:
        yield _training_operator(one)


def _training_operator(one: Object) -> Finding:
    called, image = _called(one), one["spec"]["template"]["spec"]["containers"][0].get("image", "")
    match = re.search(r":v?(?:1-)?(\d+\.\d+)", image)
    if not (one.get("status") or {}).get("availableReplicas"):
        space = one["metadata"].get("namespace", "default")
        return fail("pytorchjob", f"{called} has no pod that is ready.", f"Look why: kubectl -n {space} describe pods.")
    if match is None or match.group(1) not in TRIED:
        return warn(
            "pytorchjob", f"{called} runs {image}, which is none of the versions that were tried ({', '.join(TRIED)}).",
            "Use training-operator 1.8 or 1.9 where gangs don't start.",
        )  # fmt: skip
    return ok("pytorchjob", f"{called} runs {image}.")
