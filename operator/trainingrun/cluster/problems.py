"""Why objects could not be made, remembered from one pass to the next."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

FIRST_RETRY: Final = 2.0  # seconds
LONGEST_RETRY: Final = 60.0
TOLD_AFTER: Final = 4  # failures in a row after which what should pass by itself is told all the same

Object = tuple[str, str]  # kind and name: a ConfigMap and a Job of one attempt have the same name


@dataclass
class _Trouble:
    message: str = ""  # what the run is told; empty while there is nothing to tell
    refusals: int = 0  # in a row, with this message
    failures: int = 0  # in a row, that should have passed by themselves


class Problems:
    """The message of each object's last refusal, by the run's uid; an object that is made has none."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_run: dict[str, dict[Object, _Trouble]] = {}

    def note(self, uid: str, what: Object, message: str) -> float:
        """Remember a refusal; after how many seconds to try again: soon where the run has yet to be told."""
        trouble = self._trouble(uid, what)
        if trouble.message != message:
            trouble.message, trouble.refusals = message, 1
            return 0.0
        trouble.refusals += 1
        return float(min(FIRST_RETRY * 2 ** (trouble.refusals - 2), LONGEST_RETRY))

    def note_failure(self, uid: str, what: Object, message: str) -> None:
        """Remember a failure that should pass by itself; it is told when it does not."""
        trouble = self._trouble(uid, what)
        trouble.failures += 1
        if trouble.failures >= TOLD_AFTER:
            trouble.message = f"{message} The operator tries again."

    def clear(self, uid: str, what: Object) -> bool:
        """Forget what was wrong with an object: it has been made; whether anything was told."""
        trouble = self._by_run.get(uid, {}).pop(what, None)
        return trouble is not None and bool(trouble.message)

    def keep(self, uid: str, wanted: Container[Object]) -> None:
        """Forget those of objects that nobody wants any more."""
        kept = {what: trouble for what, trouble in self._by_run.pop(uid, {}).items() if what in wanted}
        if kept:
            self._by_run[uid] = kept

    def of(self, uid: str) -> dict[str, str]:
        """The messages of a run's refused objects, by the object's name."""
        return {name: one.message for (_, name), one in self._by_run.get(uid, {}).items() if one.message}

    def forget(self, uid: str) -> None:
        """Drop all that is known of a run."""
        self._by_run.pop(uid, None)

    def _trouble(self, uid: str, what: Object) -> _Trouble:
        return self._by_run.setdefault(uid, {}).setdefault(what, _Trouble())
