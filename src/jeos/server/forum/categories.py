"""The categories: few, on every page, and therefore kept in each process for some seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence

from jeos.server.accounts.models import Member
from jeos.server.forum import rights
from jeos.server.forum.models import Category

KEPT_SECONDS = 5.0  # how long another process may not see a change

_kept: tuple[float, Sequence[Category]] = (-KEPT_SECONDS, ())


def every() -> Sequence[Category]:
    """Return all categories in their order."""
    global _kept
    read, found = _kept
    now = time.monotonic()
    if now - read >= KEPT_SECONDS:
        found = tuple(Category.objects.all())
        _kept = (now, found)
    return found


def forget() -> None:
    """Read them anew when they are wanted next."""
    global _kept
    _kept = (-KEPT_SECONDS, ())


def readable(member: Member | None) -> list[Category]:
    """Return the categories that somebody may read."""
    return [category for category in every() if rights.may_read(category, member)]


def closed_areas(member: Member | None) -> list[int]:
    """Return the numbers of the categories that somebody may not read."""
    return [category.pk for category in every() if not rights.may_read(category, member)]


def by_number(number: int) -> Category:
    """Return a category. Raises Category.DoesNotExist."""
    found = next((category for category in every() if category.pk == number), None)
    return found or Category.objects.get(pk=number)


def by_slug(slug: str) -> Category | None:
    """Return the category with this word in its address, if there is one."""
    return next((category for category in every() if category.slug == slug), None)
