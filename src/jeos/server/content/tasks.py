"""What content does after the answer: telling of comments, and forgetting what is old."""

from __future__ import annotations

import time

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from jeos.server.content import attachments, following, happenings, kinds, limits, notifications, retagging, texts
from jeos.server.content.mailing import digests, taking
from jeos.server.content.models import Comment, Reason
from jeos.server.jobs import schedule

HOUR = 3_600


def register() -> None:
    """Register the work that comes back."""
    schedule.every("content.prune", enqueue=prune.enqueue, seconds=HOUR)
    schedule.every("content.sweep", enqueue=sweep.enqueue, seconds=HOUR)


@task()
def prune() -> None:
    """Delete what is only of use for a while."""
    limits.prune(now=time.time())
    digests.prune(now=timezone.now())
    taking.prune(now=timezone.now())


@task()
def sweep() -> int:
    """Remove uploaded files that nothing refers to; return how many."""
    return attachments.sweep(now=timezone.now())


@task()
def spread_tag(number: int) -> int:
    """Let what has a tag say its name, after it was renamed or merged; return how much that was."""
    return retagging.spread(number)


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
