"""The newest report of every pod, in memory: one that is lost is replaced by the next."""

from trainingrun_workers.contract import Snapshot


class Snapshots:
    """Newest snapshot of each stage and index of a run, by the run's uid."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_run: dict[str, dict[tuple[str, int], Snapshot]] = {}

    def put(self, snapshot: Snapshot) -> bool:
        """Keep a snapshot unless a newer one is there; whether it says more than how far the pod is."""
        of_run = self._by_run.setdefault(snapshot.uid, {})
        place = (snapshot.stage, snapshot.index)
        known = of_run.get(place)
        if known is not None and (known.attempt, known.time) > (snapshot.attempt, snapshot.time):
            return False
        of_run[place] = snapshot
        return known is None or _news(known) != _news(snapshot)

    def of(self, uid: str) -> tuple[Snapshot, ...]:
        """The newest snapshots of a run."""
        return tuple(self._by_run.get(uid, {}).values())

    def forget(self, uid: str) -> None:
        """Drop all that is known of a run."""
        self._by_run.pop(uid, None)


def _news(snapshot: Snapshot) -> tuple[object, ...]:
    """What is worth a pass at once; steps and losses can wait for the next look."""
    done = snapshot.total > 0 and snapshot.step >= snapshot.total
    return (snapshot.attempt, snapshot.checkpoint, snapshot.checkpoints, snapshot.notes, snapshot.profile, done)
