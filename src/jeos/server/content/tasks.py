"""What content does after the answer: mail about notifications, and forgetting what is old."""

from __future__ import annotations

import time
from itertools import groupby

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_tasks import task

from jeos.server.accounts.models import Member
from jeos.server.content import attachments, following, happenings, kinds, limits, notifications, texts
from jeos.server.content.models import Comment, Notification, Reason
from jeos.server.jobs import schedule

PAUSE = 120  # seconds between looks: what happens meanwhile about one thread is one mail
BATCH = 1_000  # notifications that one transaction turns into mail
HOUR = 3_600
PERSONAL = (
    *(Reason.MENTION, Reason.QUOTE, Reason.REPLY, Reason.SOLVED, Reason.MODERATION),
    *(Reason.ANSWER, Reason.REVIEW, Reason.RENEW, Reason.INVITED, Reason.DECIDED),
)
GENERAL = (Reason.NEW, Reason.SCHEDULE)  # of what a member follows


def register() -> None:
    """Register the work that comes back."""
    schedule.every("content.mail", enqueue=mail_notifications.enqueue, seconds=PAUSE)
    schedule.every("content.prune", enqueue=prune.enqueue, seconds=HOUR)
    schedule.every("content.sweep", enqueue=sweep.enqueue, seconds=HOUR)


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
            Notification.objects.filter(pk__in=[row.pk for row in rows]).update(mailed=True)
            for _member, group in groupby(rows, key=lambda row: row.member_id):
                written += write([row for row in group if wanted(row)])
        if len(rows) < BATCH:
            return written


def wanted(row: Notification) -> bool:
    """Tell whether a member wants mail about this."""
    member = row.member
    if row.seen or not member.is_active or not member.email:
        return False
    return member.mail_mentions if row.reason in PERSONAL else member.mail_replies and row.reason in GENERAL


def write(rows: list[Notification]) -> int:
    """Write one member's mail about some notifications; return how many mails that were."""
    if not rows:
        return 0
    member: Member = rows[0].member
    with translation.override(member.language or settings.LANGUAGE_CODE):
        lines = [
            _("{who} {did}: {title}").format(
                who=row.actor.handle if row.actor else settings.SITE_NAME,
                did=Reason(row.reason).label,
                title=row.title,
            )
            + f"\n{settings.ENVIRONMENT.url}{row.url}"
            for row in rows
        ]
        subject = (
            rows[0].title
            if len(rows) == 1
            else ngettext("{n} thing happened on {site}", "{n} things happened on {site}", len(rows)).format(
                n=len(rows), site=settings.SITE_NAME
            )
        )
        foot = _("Which mail you get, you choose here:") + f"\n{settings.ENVIRONMENT.url}/settings/"
        EmailMessage(
            subject=" ".join(subject.split()),
            body="\n\n".join([*lines, f"-- \n{foot}"]) + "\n",
            to=[str(member.email)],
            headers={"Auto-Submitted": "auto-generated", "List-Unsubscribe": f"<{settings.ENVIRONMENT.url}/settings/>"},
        ).send()
    return 1


@task()
def prune() -> None:
    """Delete what is only of use for a while."""
    limits.prune(now=time.time())


@task()
def sweep() -> int:
    """Remove uploaded files that nothing refers to; return how many."""
    return attachments.sweep(now=timezone.now())


@task()
@transaction.atomic
def announce_comment(number: int) -> None:
    """Tell whom a new comment concerns: who is mentioned, and who follows what it is about."""
    comment = Comment.objects.filter(pk=number, hidden=False).first()
    card = next(iter(kinds.cards([(comment.kind, comment.number)], member=None)), None) if comment else None
    if comment is None or card is None or not Comment.objects.filter(pk=number, told=False).update(told=True):
        return
    told = {comment.author_id} | following.muting(comment.kind, comment.number)
    _rendered, mentioned = texts.render(comment.source)
    for reason, members in (
        (Reason.MENTION, {member.pk for member in mentioned}),
        (Reason.NEW, following.followers([(comment.kind, comment.number)])),
    ):
        event = notifications.Event(
            reason, comment.kind, comment.number, comment.get_absolute_url(), card.title, comment.author_id
        )
        notifications.tell(members - told, event)
        told |= members
    happenings.tell("comment.created", kinds.COMMENT, number)
