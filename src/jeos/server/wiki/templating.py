"""What the wiki's templates need besides what all templates have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from django.utils import timezone

from jeos.server.wiki.models import Change


@dataclass(frozen=True)
class Day:
    """The changes of one day, in the reader's time zone."""

    first: Change
    rows: list[Change]


def days(changes: Iterable[Change]) -> list[Day]:
    """Return changes, which come newest first, by the days on which they were made."""
    grouped = (list(rows) for _day, rows in groupby(changes, key=lambda change: timezone.localtime(change.made).date()))
    return [Day(first=rows[0], rows=rows) for rows in grouped]


NAMES: dict[str, object] = {"days_of": days}
