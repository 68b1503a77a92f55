"""What is known of one kind of objects, by uid and by run: filled by watches and by the operator's own writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Key = tuple[str, str]  # namespace and name of a run
Value = TypeVar("Value")

REMEMBERED_DELETIONS: Final = 20000  # so that an answer that comes after the deletion brings nothing back


@dataclass(frozen=True)
class Entry(Generic[Value]):
    """One object as it was seen."""

    uid: str
    version: int  # the resourceVersion, which grows with every change
    key: Key
    value: Value


class Shelf(Generic[Value]):
    """The objects of one kind; an older sight of an object never replaces a newer one."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_uid: dict[str, Entry[Value]] = {}
        self._by_key: dict[Key, dict[str, Entry[Value]]] = {}
        self._deleted: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._by_uid)

    def put(self, entry: Entry[Value]) -> bool:
        """Keep what was seen, unless something newer is known; whether it was kept."""
        known = self._by_uid.get(entry.uid)
        if entry.uid in self._deleted or (known is not None and known.version >= entry.version):
            return False
        if known is not None and known.key != entry.key:
            self._unlist(known)
        self._by_uid[entry.uid] = entry
        self._by_key.setdefault(entry.key, {})[entry.uid] = entry
        return True

    def remove(self, uid: str) -> Entry[Value] | None:
        """Forget an object that is gone for good; what was known of it."""
        self._deleted[uid] = None
        while len(self._deleted) > REMEMBERED_DELETIONS:
            del self._deleted[next(iter(self._deleted))]
        known = self._by_uid.pop(uid, None)
        if known is not None:
            self._unlist(known)
        return known

    def get(self, uid: str) -> Entry[Value] | None:
        """What is known of an object."""
        return self._by_uid.get(uid)

    def was_deleted(self, uid: str) -> bool:
        """Whether the object is known to be gone."""
        return uid in self._deleted

    def of(self, key: Key) -> tuple[Entry[Value], ...]:
        """The objects of a run."""
        return tuple(self._by_key.get(key, {}).values())

    def keys(self) -> tuple[Key, ...]:
        """Every run that has objects here."""
        return tuple(self._by_key)

    def entries(self) -> Iterable[Entry[Value]]:
        """Every object."""
        return self._by_uid.values()

    def _unlist(self, entry: Entry[Value]) -> None:
        siblings = self._by_key.get(entry.key, {})
        siblings.pop(entry.uid, None)
        if not siblings:
            self._by_key.pop(entry.key, None)
