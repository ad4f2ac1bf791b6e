"""What blogs do after the answer: publishing at the time that was set, and telling those whom a post concerns.

Each task may run twice: what a task did is marked in the transaction that did it.
"""

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from jeos.server.blog import posting
from jeos.server.blog.models import Post, State, post_url
from jeos.server.content import following, happenings, kinds, notifications, tags, texts
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event
from jeos.server.jobs import schedule

SWEEP = 300  # seconds between looks for what should have been published: for tasks that failed


@task()
def publish(number: int) -> None:
    """Publish a scheduled post if its time has come; a time that was changed has a task of its own."""
    posting.publish_due(number, now=timezone.now())


@task()
def publish_all_due() -> int:
    """Publish what is due and whose task failed; return how many posts."""
    now = timezone.now()
    due = Post.objects.filter(state=State.SCHEDULED, due__lte=now).order_by("due").values_list("pk", flat=True)
    return sum(posting.publish_due(number, now=now) for number in list(due))


@task()
@transaction.atomic
def announce(number: int) -> None:
    """Tell whom a new post concerns, each once: who is mentioned, then who follows the blog or one of its tags."""
    post = Post.objects.select_related("author").filter(pk=number, state=State.PUBLISHED, hidden=False).first()
    if post is None or not Post.objects.filter(pk=number, told=False).update(told=True):
        return
    _rendered, mentioned = texts.render(post.source)
    targets = [(following.BLOG, post.author_id)]
    targets += [(following.TAG, tag.pk) for tag in tags.of(kinds.BLOG_POST, post.pk)]
    told = {post.author_id}
    for reason, members in (
        (Reason.MENTION, {member.pk for member in mentioned}),
        (Reason.NEW, following.followers(targets)),
    ):
        url = post_url(post.author.handle, post.pk, post.slug)
        notifications.tell(members - told, Event(reason, kinds.BLOG_POST, number, url, post.title, post.author_id))
        told |= members
    happenings.tell("blog_post.published", kinds.BLOG_POST, number)


def register() -> None:
    """Register the work that comes back."""
    schedule.every("blog.publish_all_due", enqueue=publish_all_due.enqueue, seconds=SWEEP)
