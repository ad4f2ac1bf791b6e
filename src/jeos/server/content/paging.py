"""Lists by key: a page goes on after the last row of the one before, however deep, at the price of the first.

page = newest(Thread.objects.filter(hidden=False), keys=("last_at", "id"), after=request.GET.get("after"), size=30)
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)
Value = str | int | bool
CURSOR_LENGTH = 800  # characters; longer ones are not ours


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list, and the cursor of the next; empty at the end."""

    rows: list[Row]
    after: str


def encode(values: Sequence[object]) -> str:
    """Return the values of a row's keys as a word for addresses."""
    plain = [value.isoformat() if isinstance(value, date) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str | None, *, kinds: Sequence[type]) -> list[object] | None:
    """Return the values that a cursor holds, each of its kind; None for no cursor, or one that is not ours."""
    if not cursor or len(cursor) > CURSOR_LENGTH:
        return None
    try:
        plain = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(plain, list) or len(plain) != len(kinds):
            return None
        values = [
            kind.fromisoformat(value) if issubclass(kind, date) else value  # of a day or a moment
            for value, kind in zip(plain, kinds, strict=True)
        ]
    except (ValueError, binascii.Error, TypeError, RecursionError):
        return None
    # SQLite's and PostgreSQL's numbers end at 63 bits; a time without a zone was not written by us
    fits = all(
        type(value) is kind
        and (kind is not int or abs(int(str(value))) < 1 << 62)
        and (not isinstance(value, datetime) or value.tzinfo is not None)
        for value, kind in zip(values, kinds, strict=True)
    )
    return values if fits else None


def beyond(keys: Sequence[str], values: Sequence[object], *, rising: bool = False) -> Q:
    """Return the condition of rows that come after `values` in a list that falls, or rises, by `keys`."""
    first, *rest = keys
    past = "gt" if rising else "lt"
    if not rest:
        return Q(**{f"{first}__{past}": values[0]})
    # The first key alone bounds the index; the rest decides among equals.
    return Q(**{f"{first}__{past}e": values[0]}) & (
        Q(**{f"{first}__{past}": values[0]}) | Q(**{first: values[0]}) & beyond(rest, values[1:], rising=rising)
    )


def newest(rows: QuerySet[Row], *, keys: Mapping[str, type], after: str | None, size: int) -> Page[Row]:
    """Return the page of a list, falling by `keys`, that comes after a cursor."""
    return _page(rows, keys=keys, after=after, size=size, rising=False)


def by_name(rows: QuerySet[Row], *, keys: Mapping[str, type], after: str | None, size: int) -> Page[Row]:
    """Return the page of a list, rising by `keys`, that comes after a cursor."""
    return _page(rows, keys=keys, after=after, size=size, rising=True)


def _page(rows: QuerySet[Row], *, keys: Mapping[str, type], after: str | None, size: int, rising: bool) -> Page[Row]:
    names = list(keys)
    values = decode(after, kinds=list(keys.values()))
    if values is not None:
        rows = rows.filter(beyond(names, values, rising=rising))
    found = list(rows.order_by(*(name if rising else f"-{name}" for name in names))[: size + 1])
    last = found[size - 1] if len(found) > size else None
    return Page(rows=found[:size], after=encode([getattr(last, name) for name in names]) if last else "")
