"""What changed from one version of a schedule to the next, decided from values alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Kind(Enum):
    """How a session changed."""

    NEW = "new"
    MOVED = "moved"  # in time or place, or its length is another
    GONE = "gone"


@dataclass(frozen=True)
class Entry:
    """A session in a version of the schedule; the room as it was called then."""

    number: int
    title: str
    room: str
    begins: datetime
    minutes: int

    @property
    def where(self) -> tuple[str, datetime, int]:
        """Return what moves when a session moves."""
        return self.room, self.begins, self.minutes


@dataclass(frozen=True)
class Change:
    """One session that changed: how it was, and how it is."""

    kind: Kind
    old: Entry | None
    new: Entry | None

    @property
    def entry(self) -> Entry:
        """Return the session as it is, or as it last was."""
        entry = self.new or self.old
        assert entry is not None  # of every change one of them is there
        return entry


def changes(old: Iterable[Entry], new: Iterable[Entry]) -> list[Change]:
    """Return what changed between two versions: new, then moved, then gone, each by time."""
    before, after = {entry.number: entry for entry in old}, {entry.number: entry for entry in new}
    found = [Change(Kind.NEW, None, entry) for number, entry in after.items() if number not in before]
    found += [
        Change(Kind.MOVED, before[number], entry)
        for number, entry in after.items()
        if number in before and before[number].where != entry.where
    ]
    found += [Change(Kind.GONE, entry, None) for number, entry in before.items() if number not in after]
    order = list(Kind)
    return sorted(found, key=lambda change: (order.index(change.kind), change.entry.begins, change.entry.number))
