"""One pass over a run: observe, decide, apply."""

import logging
import time
from collections.abc import Callable

from pydantic import ValidationError

from trainingrun.api.names import KIND
from trainingrun.api.training_run import TrainingRun
from trainingrun.cluster.apply import Applier, Outcome
from trainingrun.cluster.errors import RefusedError, StaleError, TemporaryError
from trainingrun.cluster.observe import Observer, claim_name
from trainingrun.cluster.problems import Problems
from trainingrun.cluster.shelf import Entry, Key
from trainingrun.cluster.snapshots import Snapshots
from trainingrun.cluster.store import SeenRun, Store
from trainingrun.controller import invalid
from trainingrun.controller.key_queue import RetryError
from trainingrun.controller.metrics import Metrics
from trainingrun.controller.notifier import Notifier
from trainingrun.controller.run_series import Seen
from trainingrun.plan.actions import Plan
from trainingrun.plan.decide import decide
from trainingrun.stages.settings import Settings

logger = logging.getLogger(__name__)

STALE_SECONDS = 0.5  # until the watch has shown what was changed meanwhile
PASSES_AT_ONCE = 3  # over a run that nothing else has changed, before others have their turn


class Reconciler:
    """Passes over runs, by key; no state of its own."""

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        problems: Problems,
        observer: Observer,
        applier: Applier,
        notifier: Notifier,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` tells the seconds since the epoch."""
        self._store, self._snapshots, self._problems = store, snapshots, problems
        self._observer, self._applier, self._notifier = observer, applier, notifier
        self._settings, self._metrics, self._clock = settings, metrics, clock

    async def reconcile(self, key: Key) -> float | None:
        """One pass; seconds until the next one is due, None where only a change calls for it. RetryError to repeat."""
        entry = self._store.run(key)
        if entry is None:
            self._metrics.forget(key)
            return None
        try:
            run = TrainingRun.from_object(entry.value.raw)
        except ValidationError as error:
            await self._say_invalid(entry, invalid.sentences(error))
            return None
        if run.metadata.deleting:
            return None
        try:
            return await self._pass(key, entry, run)
        except StaleError:
            return STALE_SECONDS
        except TemporaryError as error:
            raise RetryError(error.message, error.retry_after) from error
        except RefusedError as error:
            raise RetryError(f"the API server refuses: {error.message}", 10.0) from error

    async def _pass(self, key: Key, entry: Entry[SeenRun], run: TrainingRun) -> float | None:
        """One pass, and the next at once where the status that was just written is what is to be acted on."""
        for _ in range(PASSES_AT_ONCE):
            after, plan, version = await self._one_pass(key, entry, run)
            known = self._store.run(key)
            if after != 0.0 or version is None or known is None or known.version != version:
                break
            entry, run = known, run.model_copy(update={"status": plan.status})
        return after

    async def _one_pass(
        self, key: Key, entry: Entry[SeenRun], run: TrainingRun
    ) -> tuple[float | None, Plan, int | None]:
        """When the next pass is due, what this one decided, and the run's version after its status was written."""
        now = self._clock()
        sight = await self._observer.observe(run, now)
        plan = decide(run, sight.observed, self._settings, now)
        self._announce(key, run, plan)
        outcome = await self._applier.carry_out(run, entry.version, plan, now)
        for message in plan.notify:
            self._notifier.add(run.metadata, message)
        seen = Seen(plan.status, run.metadata.created_at, sight.observed.snapshots)
        self._metrics.on_status(key, run.status, seen)
        return _next_look(plan, sight.look_again, outcome), plan, outcome.version

    def _announce(self, key: Key, run: TrainingRun, plan: Plan) -> None:
        """Between the decision and its writing another run must not decide on the same folder."""
        status = {"stages": [stage.model_dump(by_alias=True) for stage in plan.status.stages]}
        self._store.intend(key, claim_name(run), run.metadata.created_at, status)

    async def _say_invalid(self, entry: Entry[SeenRun], message: str) -> None:
        """Tell, once, why a run can't be read."""
        raw = entry.value.raw
        if "deletionTimestamp" in raw["metadata"]:
            return
        said = invalid.say(raw, message, self._clock())
        if said is not None:
            run, status, event = said
            logger.warning("%s %s/%s can't be read: %s", KIND, *entry.key, message)
            try:
                await self._applier.say(run, entry.version, status, event, self._clock())
            except StaleError as error:
                raise RetryError(error.message) from error
            except (TemporaryError, RefusedError) as error:
                raise RetryError(error.message) from error

    def forget(self, key: Key, uid: str) -> None:
        """Drop what is remembered of a run that is gone."""
        self._snapshots.forget(uid)
        self._problems.forget(uid)
        self._notifier.forget(uid)
        if self._store.run(key) is None:
            self._metrics.forget(key)


def _next_look(plan: Plan, look_again: list[float], outcome: Outcome) -> float | None:
    if outcome.failure is not None:
        raise RetryError(outcome.failure.message, outcome.failure.retry_after)
    over = plan.status.phase in ("Succeeded", "Failed")
    waits = [*([] if over else look_again), *outcome.look_again]
    if plan.requeue_after is not None:
        waits.append(plan.requeue_after)
    return min(waits, default=None)
