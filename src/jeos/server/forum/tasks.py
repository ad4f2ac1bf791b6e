"""What the forum does after the answer: telling those whom a post concerns, and forgetting what is old.

Each task may run twice: what a task did is marked in the transaction that did it.
"""

import re

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from jeos.server.accounts.models import Member
from jeos.server.content import following, happenings, kinds, notifications, tags, texts
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event
from jeos.server.forum import reading
from jeos.server.forum.models import Post
from jeos.server.jobs import schedule

DAY = 86_400  # seconds

_QUOTED = re.compile(r"^>+ @([a-z0-9_-]+) \[#\d+\]", re.MULTILINE)


@task()
@transaction.atomic
def announce(number: int) -> None:
    """Tell whom a new post concerns: who is quoted, answered, mentioned or follows, each once, for the best reason."""
    post = Post.objects.select_related("thread").filter(pk=number, hidden=False).first()
    if post is None or post.thread.hidden or not Post.objects.filter(pk=number, told=False).update(told=True):
        return
    told = {post.author_id} | following.muting(kinds.THREAD, post.thread_id)
    for reason, members in _concerned(post):
        event = Event(reason, kinds.THREAD, post.thread_id, post.get_absolute_url(), post.thread.title, post.author_id)
        notifications.tell(members - told, event)
        told |= members
    if post.number == 1:
        happenings.tell("thread.created", kinds.THREAD, post.thread_id)
    else:
        happenings.tell("post.created", kinds.POST, post.pk)


def _concerned(post: Post) -> list[tuple[Reason, set[int]]]:
    quoted = set(Member.objects.filter(handle__in=_QUOTED.findall(post.source)).values_list("pk", flat=True))
    _, mentioned = texts.render(post.source)
    answered = set(
        Post.objects.filter(thread=post.thread_id, number=post.reply_to).values_list("author_id", flat=True)
        if post.reply_to
        else ()
    )
    targets = [(kinds.THREAD, post.thread_id)]
    if post.number == 1:
        targets = [(following.CATEGORY, post.thread.category_id)]
        targets += [(following.TAG, tag.pk) for tag in tags.of(kinds.THREAD, post.thread_id)]
    return [
        (Reason.QUOTE, quoted),
        (Reason.REPLY, answered),
        (Reason.MENTION, {member.pk for member in mentioned}),
        (Reason.NEW, following.followers(targets)),
    ]


@task()
def forget_read() -> None:
    """Delete what is kept about the reading of old threads."""
    reading.forget_old(now=timezone.now())


def register() -> None:
    """Register the work that comes back."""
    schedule.every("forum.forget_read", enqueue=forget_read.enqueue, seconds=DAY)
