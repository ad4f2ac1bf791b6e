"""Telling members what happened. Several events about one thing are one row with a count, until it is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import paging
from jeos.server.content.models import Notification, Reason


@dataclass(frozen=True)
class Event:
    """Something that happened to a piece of content."""

    reason: Reason
    kind: int
    number: int
    url: str
    title: str
    actor: int | None


_listeners: list[Callable[[Sequence[Notification]], None]] = []


def listen(listener: Callable[[Sequence[Notification]], None]) -> None:
    """Call a function with notifications that are new, in the transaction that makes them."""
    _listeners.append(listener)


@transaction.atomic
def tell(members: Iterable[int], event: Event) -> None:
    """Tell members of an event; never the one who caused it."""
    wanted = sorted(set(members) - {event.actor})
    if not wanted:
        return
    now = timezone.now()
    open_rows = Notification.objects.filter(
        member__in=wanted, kind=event.kind, number=event.number, reason=event.reason, seen=False
    )
    again = set(open_rows.select_for_update().values_list("member_id", flat=True))
    alone = Q(actor=event.actor) | Q(actor=None)
    open_rows.filter(member__in=again).update(
        others=Case(When(alone, then=F("others")), default=Value(True)),
        count=F("count") + 1,
        actor=event.actor,
        title=event.title[:200],
        date=now,
        mailed=False,
    )
    fresh = [member for member in wanted if member not in again]
    made = Notification.objects.bulk_create([_row(member, event, now=now) for member in fresh])
    Member.objects.filter(pk__in=fresh).update(unread=F("unread") + 1)
    for listener in _listeners if made else ():
        listener(made)


def _row(member: int, event: Event, *, now: datetime) -> Notification:
    return Notification(
        member_id=member,
        reason=event.reason,
        kind=event.kind,
        number=event.number,
        url=event.url[:300],
        title=event.title[:200],
        actor_id=event.actor,
        date=now,
    )


def page(member: Member, *, after: str | None, size: int) -> paging.Page[Notification]:
    """Return a page of what a member was told, newest first."""
    rows = Notification.objects.filter(member=member).select_related("actor")
    return paging.newest(rows, keys={"date": datetime, "id": int}, after=after, size=size)


@transaction.atomic
def see(member: Member, *, about: tuple[int, int] | None = None) -> int:
    """Let notifications count as seen: all, or those about one (kind, number); return how many that were."""
    rows = Notification.objects.filter(member=member, seen=False)
    if about is not None:
        rows = rows.filter(kind=about[0], number=about[1])
    seen = rows.update(seen=True)
    if seen:
        left = Notification.objects.filter(member=member, seen=False).count()
        Member.objects.filter(pk=member.pk).update(unread=left)
        member.unread = left
    return seen
