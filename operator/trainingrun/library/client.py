"""Runs from Python: apply, follow and read them, with the rights of the user's kubeconfig."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from trainingrun.api.training_run import TrainingRun
from trainingrun.cluster.kinds import RUN
from trainingrun.commands.access import Cluster
from trainingrun.commands.kubeconfig import place
from trainingrun.commands.refusals import AbsentError, Call, UnreachableError
from trainingrun.commands.wire import Wire
from trainingrun.library import curves, progress
from trainingrun.library.errors import RunFailedError, TimedOutError
from trainingrun.library.manifests import Source, manifest_of

FIELD_MANAGER: Final = "trainingrun-python"
APPLY: Final = "application/apply-patch+yaml"
POLL_SECONDS: Final = 2.0
UNNAMED: Final = "default"  # the namespace of a TrainingRun that was made from a document without one

Seen = Callable[[TrainingRun], Any]
Until = str | Callable[[TrainingRun], bool]
Named = str | TrainingRun


class Client:
    """A cluster and a namespace of it, as kubectl would choose them."""

    def __init__(self, namespace: str | None = None, context: str | None = None, kubeconfig: str | None = None) -> None:
        """Nothing is sent yet; CommandError where there is no usable kubeconfig."""
        self._where = (kubeconfig, context)
        self._clusters: dict[str, Cluster] = {}
        here = place(kubeconfig, context, namespace)
        self.namespace, self.context = here.namespace, here.context
        self._wire = Wire(here)

    def apply(self, source: Source, force: bool = False) -> TrainingRun:
        """Create a run, or change it to what `source` says, by server-side apply.

        `source` is a manifest's file, a decoded manifest or a TrainingRun; without a namespace of its own it goes into
        the client's. CommandError where it is wrong, or where another has set one of its fields: `force` takes it over.
        """
        manifest = manifest_of(source)
        metadata = manifest["metadata"]
        given = metadata.get("namespace")
        unnamed = isinstance(source, TrainingRun) and not source.metadata.uid and given == UNNAMED
        metadata["namespace"] = self.namespace if unnamed or not given else given
        call = Call("patch", RUN, metadata["namespace"], self.context, metadata["name"])
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"} | ({"force": "true"} if force else {})
        return TrainingRun.from_object(self._wire.json(call, query, "PATCH", manifest, APPLY))

    def get(self, run: Named) -> TrainingRun:
        """A run as it is now; AbsentError, which names the nearest, where there is none."""
        return TrainingRun.from_object(self._raw(run))

    def runs(self, everywhere: bool = False) -> list[TrainingRun]:
        """All runs of the namespace, or of all."""
        return [TrainingRun.from_object(one) for one in self._cluster(self.namespace).runs(everywhere)]

    def delete(self, run: Named, timeout: float = 60.0) -> None:
        """Delete a run with its objects and wait until it is gone; what lies on the volume stays. None there is fine.

        TimedOutError where it is still there after `timeout` seconds; 0 does not wait.
        """
        name, cluster = _name(run), self._of(run)
        cluster.delete(RUN, name)
        until = time.monotonic() + timeout
        while timeout:
            try:
                cluster.get(RUN, name)
            except AbsentError:
                return
            if time.monotonic() > until:
                raise TimedOutError(f"The run {name} is still there after {timeout:g} s: something holds it back.")
            time.sleep(min(POLL_SECONDS, timeout / 10))

    def wait(
        self,
        run: Named,
        until: Until = "Succeeded",
        timeout: float = 3600.0,
        on_progress: Seen = lambda run: None,
        poll: float = POLL_SECONDS,
    ) -> TrainingRun:
        """The run once it is in a phase, once a condition of that name is True, or once a function says so.

        `on_progress` is called with the run whenever its status has changed; `progress.told(run)` puts it in a line.
        A phase or condition counts when it is about the newest spec. RunFailedError where the run has failed instead,
        TimedOutError after `timeout` seconds. A cluster that can't be reached meanwhile is asked again.
        """
        reached, deadline = _reached(until), time.monotonic() + timeout
        last: TrainingRun | None = None
        why = ""
        while True:
            try:
                found = self.get(run)
            except UnreachableError as error:
                why = f" {error}"
            else:
                why = ""
                if last is None or found.status != last.status:
                    on_progress(found)
                last = found
                if reached(found):
                    return found
                _check_not_failed(found)
            if time.monotonic() > deadline:
                is_now = f"is {progress.told(last)}" if last is not None else "was not seen"
                raise TimedOutError(f"The run {_name(run)} {is_now} after {timeout:g} s, and goes on.{why}")
            time.sleep(poll)

    def progress(self, run: Named) -> list[progress.StageProgress]:
        """How far each stage is, as the run says now."""
        return progress.progress(self.get(run))

    def metrics(self, run: Named, stage: str = "pretrain", image: str | None = None) -> Any:
        """The training curve of a stage: a pandas DataFrame by step, or a list of dicts where pandas isn't installed.

        Columns: loss, learning_rate, gradient_norm, tokens_per_second, tokens. It is read off the volume by a short pod
        (rights: to create, read and delete pods, and `pods/exec`), thinned to some thousand steps so that no spike is
        lost. Empty where the stage has no curve yet.
        """
        rows = curves.of_volume(self._raw(run), stage, self._volume(run, image))
        return curves.framed(rows, curves.COLUMNS)

    def scores(self, run: Named) -> Any:
        """The scores of the evaluated checkpoints by step, a column a task, as the status lists them: as `metrics`."""
        found = self.get(run).status.checkpoints
        rows = [{"step": one.step, **one.scores} for one in found if one.scores]
        return curves.framed(rows, sorted({name for row in rows for name in row if name != "step"}))

    def _volume(self, run: Named, image: str | None) -> curves.Volumes:
        kubeconfig, context = self._where
        return curves.volumes(self._of(run).namespace, context, kubeconfig, image)

    def _raw(self, run: Named) -> dict[str, Any]:
        return self._of(run).run(_name(run))

    def _of(self, run: Named) -> Cluster:
        if isinstance(run, str) or (not run.metadata.uid and run.metadata.namespace == UNNAMED):
            return self._cluster(self.namespace)
        return self._cluster(run.metadata.namespace)

    def _cluster(self, namespace: str) -> Cluster:
        kubeconfig, context = self._where
        if namespace not in self._clusters:
            self._clusters[namespace] = Cluster(place(kubeconfig, context, namespace))
        return self._clusters[namespace]


def _name(run: Named) -> str:
    return run if isinstance(run, str) else run.metadata.name


def _reached(until: Until) -> Callable[[TrainingRun], bool]:
    if callable(until):
        return until

    def reached(run: TrainingRun) -> bool:
        true = {one.type for one in run.status.conditions if one.status == "True"}
        return _is_new(run) and (until == run.status.phase or until in true)

    return reached


def _is_new(run: TrainingRun) -> bool:
    return run.status.observed_generation >= run.metadata.generation


def _check_not_failed(run: TrainingRun) -> None:
    if run.status.phase == "Failed" and _is_new(run):
        why = [one.message for one in run.status.conditions if (one.type, one.status) == ("Failed", "True")]
        raise RunFailedError(f"The run {run.metadata.name} has failed: {why[0] if why else 'its status says no more.'}")
