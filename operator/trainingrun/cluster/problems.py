"""Why objects could not be made, remembered from one pass to the next."""

from collections.abc import Callable
from typing import Final

FIRST_RETRY: Final = 2.0  # seconds
LONGEST_RETRY: Final = 60.0


class Problems:
    """The message of each object's last refusal, by the run's uid; an object that is made has none."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_run: dict[str, dict[str, tuple[str, int]]] = {}

    def note(self, uid: str, name: str, message: str) -> float:
        """Remember a refusal; after how many seconds to try again: soon where the run has yet to be told."""
        known, times = self._by_run.get(uid, {}).get(name, ("", 0))
        self._by_run.setdefault(uid, {})[name] = (message, times + 1)
        return 0.0 if known != message else float(min(FIRST_RETRY * 2 ** (times - 1), LONGEST_RETRY))

    def clear(self, uid: str, name: str) -> bool:
        """Forget an object's refusals: it has been made; whether there were any."""
        return self._by_run.get(uid, {}).pop(name, None) is not None

    def keep(self, uid: str, wanted: Callable[[str], bool]) -> None:
        """Forget those of objects that nobody wants any more."""
        of_run = self._by_run.get(uid, {})
        self._by_run[uid] = {name: known for name, known in of_run.items() if wanted(name)}
        if not self._by_run[uid]:
            del self._by_run[uid]

    def of(self, uid: str) -> dict[str, str]:
        """The messages of a run's refused objects, by the object's name."""
        return {name: message for name, (message, _) in self._by_run.get(uid, {}).items()}

    def forget(self, uid: str) -> None:
        """Drop all that is known of a run."""
        self._by_run.pop(uid, None)
