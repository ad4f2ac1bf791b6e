"""Digests: what happened in a day or a week as one mail, at seven in the morning where the member lives.

A digest is a row with the member, the pace and the day on which the period begins, made in the transaction that writes
the mail and takes its notifications off the list. A worker that is killed leaves nothing behind, and whoever comes
next does all of it; of two at once, one finds the row of the other.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from jeos.server.accounts.middleware import zone
from jeos.server.accounts.models import Member, Pace
from jeos.server.content.mailing import letters
from jeos.server.content.models import Digest, Notification

HOUR = 7  # of the member's day
MEMBERS = 200  # that are read at once
KEPT = timedelta(days=60)  # for how long it is known that a digest was written


def period_begin(pace: Pace, local: datetime) -> datetime:
    """Return when the period of a digest ended that is due at a local time: this morning, or Monday's."""
    begin = local.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    if begin > local:
        begin -= timedelta(days=1)
    return begin - timedelta(days=begin.weekday()) if pace == Pace.WEEKLY else begin


def write_due(*, now: datetime) -> int:
    """Write the digests that are due, and return how many."""
    written, after = 0, 0
    while True:
        waiting = Notification.objects.filter(digest=True, member__gt=after).order_by("member")
        members = list(waiting.values_list("member", flat=True).distinct()[:MEMBERS])
        if not members:
            return written
        after = members[-1]
        for member in members:
            written += sum(_write(member, pace, now=now) for pace in (Pace.DAILY, Pace.WEEKLY))


@transaction.atomic
def _write(number: int, pace: Pace, *, now: datetime) -> bool:
    """Write a member's digest if it is due and was not written; return whether a mail was."""
    member = Member.objects.get(pk=number)
    begin = period_begin(pace, now.astimezone(zone(member.time_zone)))
    waiting = Notification.objects.filter(member=member, digest=True, date__lt=begin).select_related("actor")
    rows = list(waiting.order_by("-date", "-pk"))
    unwanted = [row.pk for row in rows if letters.pace_of(row, member) not in (Pace.DAILY, Pace.WEEKLY)]
    Notification.objects.filter(pk__in=unwanted).update(digest=False)
    chosen = [row for row in rows if letters.pace_of(row, member) == pace]
    if not chosen:
        return False
    _row, new = Digest.objects.get_or_create(member=member, pace=pace, period=begin.date(), defaults={"made": now})
    if not new:
        return False
    Notification.objects.filter(pk__in=[row.pk for row in chosen]).update(digest=False)
    unseen = [row for row in chosen if not row.seen]
    if unseen:
        what = f"d.{member.pk}.{pace.value}-{begin:%Y%m%d}"
        letters.send(member, unseen, what=what, now=now, pace=pace)
    return bool(unseen)


def prune(*, now: datetime) -> int:
    """Forget digests that were written long ago, and return how many."""
    return Digest.objects.filter(made__lt=now - KEPT).delete()[0]
