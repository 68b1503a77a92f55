"""What the dashboard reads from the API server, with the user's own rights: it reads, and never writes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from trainingrun.api import names
from trainingrun.cluster.kinds import EVENT, POD, RUN, Kind
from trainingrun.commands.refusals import AbsentError, Call, UnservedError
from trainingrun.commands.wire import ANSWER_SECONDS, Wire

if TYPE_CHECKING:
    from trainingrun.commands.kubeconfig import Place

PAGE: Final = "200"
MOST_LINES: Final = 50_000  # of a log that are read at once

Object = dict[str, Any]


class Reader:
    """Lists and single objects; every failure is a CommandError, UnreachableError where the cluster is lost."""

    def __init__(self, place: Place) -> None:
        """Prepare a connection; nothing is sent yet."""
        self.context = place.context
        self._wire = Wire(place)

    def runs(self, namespace: str | None) -> list[Object]:
        """Every run of a namespace, or of all for None."""
        try:
            return self._listed(RUN, namespace, {})
        except UnservedError as error:
            raise UnservedError(
                f"The cluster of context {self.context} knows no TrainingRun: install the chart trainingrun, or start "
                "the dashboard with another --context."
            ) from error

    def run(self, namespace: str, name: str) -> Object | None:
        """A run; None where there is none."""
        try:
            return self._wire.json(Call("get", RUN, namespace, self.context, name))
        except AbsentError:
            return None

    def events(self, namespace: str, uid: str) -> list[Object]:
        """The events about an object."""
        return self._listed(EVENT, namespace, {"fieldSelector": f"involvedObject.uid={uid}"})

    def pods(self, namespace: str, run: str) -> list[Object]:
        """The pods of a run."""
        return self._listed(POD, namespace, {"labelSelector": f"{names.LABEL_RUN}={run}"})

    def log(self, namespace: str, pod: str, query: Mapping[str, str]) -> list[str]:
        """The first `MOST_LINES` lines of a pod's log, with the API's own options in `query`."""
        call = Call("get", POD, namespace, self.context, pod, "log")
        lines = self._wire.lines(call, query, ANSWER_SECONDS)
        return [line.decode(errors="replace") for line in islice(lines, MOST_LINES)]

    def _listed(self, kind: Kind, namespace: str | None, query: Mapping[str, str]) -> list[Object]:
        call = Call("list", kind, namespace, self.context)
        found: list[Object] = []
        following = {**query, "limit": PAGE}
        while True:
            page = self._wire.json(call, following)
            found += page.get("items") or ()
            following["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not following["continue"]:
                return found
