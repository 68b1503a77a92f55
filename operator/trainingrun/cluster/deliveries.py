"""What has become of messages to people, until the status tells it."""

from trainingrun.plan.observed import Delivery

KEPT = 16  # of a run; the status lists fewer


class Deliveries:
    """Settled messages by the run's uid, in memory: the status is written by the next pass."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_run: dict[str, tuple[Delivery, ...]] = {}

    def put(self, uid: str, delivery: Delivery) -> None:
        """Keep what has become of a message."""
        self._by_run[uid] = (*self.of(uid), delivery)[-KEPT:]

    def of(self, uid: str) -> tuple[Delivery, ...]:
        """The settled messages of a run."""
        return self._by_run.get(uid, ())

    def forget(self, uid: str) -> None:
        """Drop all that is known of a run."""
        self._by_run.pop(uid, None)
