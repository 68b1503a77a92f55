"""Which cluster a command talks to: the kubeconfig as kubectl finds it, or a pod's own account where there is none."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun.commands.manifest import MISUSED, NO_CLUSTER, CommandError

VARIABLE: Final = "KUBECONFIG"
DEFAULT: Final = Path(".kube") / "config"  # below the home folder
POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
IN_POD: Final = "the pod's own account"


@dataclass(frozen=True)
class Place:
    """A cluster, who asks it, and the namespace that is meant."""

    configuration: Any  # kubernetes' Configuration
    context: str
    namespace: str


def place(kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> Place:
    """The place that the three options name, each of them None where it was left out.

    CommandError where there is no kubeconfig, it can't be read, it lacks the context, or its login program fails.
    """
    files = _files(kubeconfig)
    if not files:
        return _in_pod(namespace)
    contexts, current = _contexts(files)
    chosen = _chosen(context, current, contexts, files)
    made = _configuration(files, chosen)
    return Place(made, chosen, namespace or str(contexts[chosen].get("namespace") or "default"))


def _files(given: str | None) -> list[Path]:
    """The files that make up the kubeconfig; none where a pod's own account is to be used."""
    named = given or os.environ.get(VARIABLE, "")
    wanted = [Path(part).expanduser() for part in named.split(os.pathsep) if part] or [Path.home() / DEFAULT]
    there = [path for path in wanted if path.is_file()]
    if there or (not named and POD_NAMESPACE.is_file()):
        return there
    if given:
        raise CommandError(f"--kubeconfig {given} is no file: name one that is there.", MISUSED)
    if named:
        raise CommandError(f"{VARIABLE} names {named}, which is no file: correct or unset it.", NO_CLUSTER)
    raise CommandError(
        f"There is no kubeconfig at {wanted[0]}, and {VARIABLE} names none: get one for your cluster, or name it "
        "with --kubeconfig.",
        NO_CLUSTER,
    )


def _contexts(files: list[Path]) -> tuple[dict[str, Mapping[str, Any]], str]:
    """The contexts by name and the current one's name, the first file that has one first, as kubectl does."""
    contexts: dict[str, Mapping[str, Any]] = {}
    current = ""
    for path in files:
        document = _document(path)
        current = current or str(document.get("current-context") or "")
        for one in document.get("contexts") or ():
            contexts.setdefault(str(one["name"]), one.get("context") or {})
    return contexts, current


def _document(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"The kubeconfig {path} can't be read: {error.strerror}.", NO_CLUSTER) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"The kubeconfig {path} is not YAML: mend it or get another.", NO_CLUSTER) from error
    whole = isinstance(document, dict) and all(
        isinstance(one, dict) and "name" in one for one in document.get("contexts") or ()
    )
    if not whole:
        raise CommandError(f"{path} is no kubeconfig: mend it or get another.", NO_CLUSTER)
    return dict(document)


def _chosen(given: str | None, current: str, contexts: Mapping[str, Any], files: list[Path]) -> str:
    if (name := given or current) in contexts:
        return name
    if not contexts:
        raise CommandError(
            f"The kubeconfig {_joined(files)} has no contexts: get another for your cluster.", NO_CLUSTER
        )
    has = ", ".join(sorted(contexts))
    if not name:
        raise CommandError(f"The kubeconfig has no current context: choose one of {has} with --context.", MISUSED)
    near = difflib.get_close_matches(name, contexts, 1)
    mend = f"did you mean {near[0]}? It has {has}." if near else f"choose one of {has} with --context."
    raise CommandError(f"The kubeconfig has no context {name}: {mend}", MISUSED)


def _configuration(files: list[Path], context: str) -> Any:
    from kubernetes import client, config

    made = client.Configuration()
    try:
        with _heard() as said:
            config.load_kube_config(_joined(files), context=context, client_configuration=made, persist_config=False)
    except (config.ConfigException, OSError) as error:
        raise CommandError(f"Context {context} of the kubeconfig can't be used: {_line(error)}.", NO_CLUSTER) from error
    if said:  # a login program that fails is logged, and kubernetes' client goes on as nobody
        raise CommandError(f"The login of context {context} failed: {_line(said[0])}.", NO_CLUSTER)
    return made


def _in_pod(namespace: str | None) -> Place:
    from kubernetes import client, config

    made = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=made)
    except config.ConfigException as error:
        raise CommandError(f"The pod's own account can't be used: {_line(error)}.", NO_CLUSTER) from error
    return Place(made, IN_POD, namespace or POD_NAMESPACE.read_text(encoding="utf-8").strip())


def _joined(files: list[Path]) -> str:
    return os.pathsep.join(str(path) for path in files)


def _line(what: object) -> str:
    return " ".join(str(what).split())[:300].rstrip(".")


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What is logged as an error meanwhile, which is kept from the terminal."""
    said: list[str] = []

    class _Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                said.append(record.getMessage())

    ear, root = _Ear(), logging.getLogger()
    root.addHandler(ear)
    try:
        yield said
    finally:
        root.removeHandler(ear)
