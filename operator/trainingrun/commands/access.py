"""The cluster as commands see it: a few calls with the user's own rights, and every failure a CommandError."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trainingrun.cluster.kinds import POD, RUN, Kind
from trainingrun.commands.kubeconfig import Place, place
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.refusals import AbsentError, Call, UnservedError, refusal
from trainingrun.commands.wire import ANSWER_SECONDS, CONNECT_SECONDS, MERGE_PATCH, Wire

WATCH_SECONDS: Final = 20  # of one watch: a connection that is dead without saying so is noticed soon after
PAGE: Final = "500"
NAMES: Final = 8  # told where a name is wrong

Object = dict[str, Any]


def connect(kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> Cluster:
    """The cluster that the options of these names mean; nothing is sent yet. CommandError as kubeconfig.place."""
    return Cluster(place(kubeconfig, context, namespace))


class Cluster:
    """An API server, and the namespace that is meant where none is named."""

    def __init__(self, where: Place) -> None:
        """Prepare a connection."""
        self.context, self.namespace = where.context, where.namespace
        self._wire = Wire(where)

    def get(self, kind: Kind, name: str) -> Object:
        """An object of the namespace; AbsentError where there is none."""
        return self._wire.json(Call("get", kind, self.namespace, self.context, name))

    def listed(self, kind: Kind, label: str | None = None, everywhere: bool = False) -> list[Object]:
        """All objects of a kind, with a label selector where one is given, in the namespace or in all."""
        call = Call("list", kind, None if everywhere else self.namespace, self.context)
        query = {"limit": PAGE} | ({"labelSelector": label} if label else {})
        found: list[Object] = []
        while True:
            page = self._wire.json(call, query)
            found += page.get("items") or []
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return found

    def watch(self, kind: Kind, name: str | None = None) -> Iterator[tuple[str, Object]]:
        """ADDED, MODIFIED or DELETED with the object, from the present state on, for WATCH_SECONDS at most.

        UnreachableError where the connection is lost: call again, which begins with the present state.
        """
        call = Call("watch", kind, self.namespace, self.context)
        query = {"watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        query |= {"fieldSelector": f"metadata.name={name}"} if name else {}
        for line in self._wire.lines(call, query, WATCH_SECONDS + CONNECT_SECONDS):
            event = json.loads(line)
            if event["type"] == "ERROR":
                status = event["object"]
                raise refusal(call, int(status.get("code") or 500), json.dumps(status).encode())
            yield str(event["type"]), dict(event["object"])

    def merge(self, kind: Kind, name: str, patch: Mapping[str, Any]) -> Object:
        """An object after a merge patch; a field that the cluster's definition lacks is refused, not dropped."""
        call = Call("patch", kind, self.namespace, self.context, name)
        return self._wire.json(call, {"fieldValidation": "Strict"}, "PATCH", patch, MERGE_PATCH)

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object; one that isn't there is fine."""
        try:
            self._wire.json(Call("delete", kind, self.namespace, self.context, name), None, "DELETE")
        except AbsentError:
            return

    def log_lines(self, pod: str, **options: str) -> Iterator[str]:
        """The lines of a pod's log, with the API's own options: follow, sinceTime, timestamps, tailLines, container …

        With follow it goes on until the container ends; UnreachableError where the connection is lost.
        """
        call = Call("get", POD, self.namespace, self.context, pod, "log")
        read = None if options.get("follow") == "true" else ANSWER_SECONDS
        return (line.decode(errors="replace") for line in self._wire.lines(call, options, read))

    def run(self, name: str) -> Object:
        """A TrainingRun; AbsentError with the nearest names, UnservedError where its definition is not installed."""
        try:
            return self.get(RUN, name)
        except AbsentError as error:
            raise AbsentError(self._nearest(name)) from error
        except UnservedError as error:
            raise self._not_installed() from error

    def runs(self, everywhere: bool = False) -> list[Object]:
        """All TrainingRuns of the namespace, or of all; UnservedError where their definition is not installed."""
        try:
            return self.listed(RUN, everywhere=everywhere)
        except UnservedError as error:
            raise self._not_installed() from error

    def raw(self, path: str) -> Object:
        """What the API server answers below a path of no kind, such as /version or /apis."""
        return self._wire.json(Call("get", Kind(path, "v1", path), None, self.context, path=path))

    def _nearest(self, name: str) -> str:
        """Why there is no such run, with what there is instead."""
        said = f"There is no run {name} in namespace {self.namespace} of context {self.context}"
        try:
            names = sorted(one["metadata"]["name"] for one in self.listed(RUN))
        except CommandError:  # who may look at one need not be allowed to list them
            return f"{said}."
        if near := difflib.get_close_matches(name, names, 1):
            return f"{said}: did you mean {near[0]}?"
        if elsewhere := self._elsewhere(name):
            return f"{said}: there is one in namespace {elsewhere}, which -n {elsewhere} names."
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        return f"{said}: it has {', '.join(names[:NAMES])}{more}." if names else f"{said}: it has none."

    def _elsewhere(self, name: str) -> str | None:
        """Another namespace with a run of the name; None also where nobody may look."""
        try:
            found = self.listed(RUN, everywhere=True)
        except CommandError:
            return None
        return next((one["metadata"]["namespace"] for one in found if one["metadata"]["name"] == name), None)

    def _not_installed(self) -> UnservedError:
        group, _, version = RUN.api_version.partition("/")
        try:
            served = [one["version"] for one in self.raw(f"/apis/{group}")["versions"]]
        except UnservedError:
            served = []
        if served and version not in served:
            return UnservedError(
                f"The cluster of context {self.context} serves {group} as {', '.join(served)} and this command needs "
                f"{version}: use the command of the cluster's version, or upgrade the chart."
            )
        return UnservedError(
            f"The cluster of context {self.context} knows no TrainingRun: install the chart trainingrun, or choose "
            "another context."
        )
