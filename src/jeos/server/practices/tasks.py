"""What practices do after the answer, and every day: telling what is proven, ending what nobody renewed.

Each task may run twice: what a task did is marked in the transaction that did it.
"""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from jeos.server.content import following, happenings, kinds, notifications, tags
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event
from jeos.server.jobs import schedule
from jeos.server.practices import proving
from jeos.server.practices.models import Practice, State

HOUR = 3_600  # seconds


def register() -> None:
    """Register the work that comes back."""
    schedule.every("practices.expire", enqueue=expire.enqueue, seconds=HOUR)


@task()
@transaction.atomic
def announce(number: int) -> None:
    """Tell those who follow a practice, or one of its tags, that it is proven."""
    practice = Practice.objects.filter(pk=number, hidden=False, state=State.PROVEN).first()
    if practice is None or not Practice.objects.filter(pk=number, told=False).update(told=True):
        return
    targets = [(kinds.PRACTICE, number), *((following.TAG, tag.pk) for tag in tags.of(kinds.PRACTICE, number))]
    event = Event(Reason.NEW, kinds.PRACTICE, number, practice.get_absolute_url(), practice.title, practice.author_id)
    notifications.tell(following.followers(targets), event)
    happenings.tell("practice.proven", kinds.PRACTICE, number)


@task()
def expire() -> int:
    """End the time of all practices that nobody renewed, and return how many."""
    return end_all(now=timezone.now())


def end_all(*, now: datetime) -> int:
    """End what has expired by now, each in a transaction of its own."""
    due = Practice.objects.filter(state=State.PROVEN, expires__lte=now).order_by("expires")
    return sum(proving.expire(number, now=now) for number in list(due.values_list("pk", flat=True)))
