"""A tag that was renamed or merged: what has it says so, in its row for lists and in the search.

Addresses and lists of the tag are right at once, since they go by its number; this follows, done by a worker.
"""

from __future__ import annotations

from django.db import transaction

from jeos.server.content import kinds, search, tags
from jeos.server.content.models import Tagged
from jeos.server.content.search.base import Entry
from jeos.server.content.search.documents import existing

BATCH = 500  # rows that are read at once


def spread(number: int) -> int:
    """Write the names of tags anew onto everything that has one of them; return onto how much."""
    after, changed = 0, 0
    while rows := list(Tagged.objects.filter(tag=number, pk__gt=after).order_by("pk")[:BATCH]):
        after = rows[-1].pk
        changed += sum(_renew(row.kind, row.number) for row in rows)
    return changed


@transaction.atomic
def _renew(code: int, number: int) -> bool:
    kind = kinds.find(code)
    if kind is None or kind.tagged is None:
        return False
    row = kind.tagged._default_manager.select_for_update().filter(pk=number)
    old = str(row.values_list("tags", flat=True).first() or "")
    new = tuple(tag.name for tag in tags.resolve(old.split(), create=False))
    if old.split() == [*new]:
        return False
    kind.tagged._default_manager.filter(pk=number).update(tags=" ".join(new))
    search.index().put(
        [
            Entry(one.kind, one.number, one.head, one.date, one.area, one.author, one.title, one.body, new)
            for one in existing([(code, number)])
        ]
    )
    return True
