"""Sessions with their place and time, as values: what grids, warnings and comparisons are made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Placed:
    """A session in a room (None: everywhere) at a time; `minutes` is its length."""

    number: int
    title: str
    begins: datetime
    minutes: int
    room: int | None = None
    speakers: frozenset[int] = frozenset()
    wanted: int = 0  # by how many members

    @property
    def ends(self) -> datetime:
        """Return when it ends."""
        return self.begins + timedelta(minutes=self.minutes)
