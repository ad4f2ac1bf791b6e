"""What comes back about mail: telling members at once, digests, looking at mail that came."""

from __future__ import annotations

import secrets
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task

from jeos.server.accounts.models import Pace
from jeos.server.content.mailing import digests, letters, taking
from jeos.server.content.models import Notification
from jeos.server.jobs import schedule

PAUSE = 120  # seconds between looks: what happens meanwhile is one mail
BATCH = 1_000  # notifications that one transaction turns into mail
QUARTER = 900  # seconds: time zones differ by as little
MINUTE = 60


def register() -> None:
    """Register the work that comes back."""
    schedule.every("content.mail", enqueue=mail_notifications.enqueue, seconds=PAUSE)
    schedule.every("content.digests", enqueue=send_digests.enqueue, seconds=QUARTER)
    if settings.MAILDIR is not None:
        schedule.every("content.maildir", enqueue=look_into_maildir.enqueue, seconds=MINUTE)


@task(queue_name="mail")
def mail_notifications() -> int:
    """Turn notifications that nobody has seen yet into one mail for each member; return how many mails.

    Marking and mail are one transaction: none is lost, none is written twice.
    """
    written = 0
    while True:
        with transaction.atomic():
            rows = list(
                Notification.objects.select_for_update(of=("self",))
                .filter(mailed=False)
                .select_related("member", "actor")
                .order_by("member_id", "pk")[:BATCH]
            )
            paces = {row.pk: Pace.NEVER if row.seen else letters.pace_of(row, row.member) for row in rows}
            later = [number for number, pace in paces.items() if pace in (Pace.DAILY, Pace.WEEKLY)]
            Notification.objects.filter(pk__in=list(paces)).update(mailed=True)
            Notification.objects.filter(pk__in=later).update(digest=True)
            for member, group in groupby(rows, key=lambda row: row.member_id):
                now = [row for row in group if paces[row.pk] == Pace.AT_ONCE]
                if now:
                    letters.send(now[0].member, now, what=f"n.{member}.{secrets.token_hex(8)}", now=timezone.now())
                    written += 1
        if len(rows) < BATCH:
            return written


@task(queue_name="mail")
def send_digests() -> int:
    """Write the digests that are due; return how many."""
    return digests.write_due(now=timezone.now())


@task(queue_name="mail")
def take_mail(number: int) -> str:
    """Do what a mail that came asks for; return what became of it."""
    return taking.take(number, now=timezone.now()).name


@task(queue_name="mail")
def look_into_maildir() -> int:
    """Keep the mail that is new in the maildir; return how many."""
    return taking.keep_all(settings.MAILDIR) if settings.MAILDIR is not None else 0
