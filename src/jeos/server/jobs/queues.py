"""How background work stands, and what an administrator does about work that failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import CharField, Count, Min, Q, QuerySet
from django.db.models.functions import Cast
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from jeos.server.jobs import recover
from jeos.server.jobs.mail import ATTEMPTS, deliver
from jeos.server.jobs.models import Heartbeat, Mail


@dataclass(frozen=True)
class Standing:
    """Tasks by what they wait for, living workers, mail that was given up; `oldest` is since when one is due."""

    workers: int
    due: int
    later: int
    running: int
    failed: int
    oldest: datetime | None
    mail_waiting: int
    mail_given_up: int


def standing(*, now: datetime) -> Standing:
    """Return how the work stands, by three queries."""
    ready = DBTaskResult.objects.ready()
    due = ready.aggregate(n=Count("pk"), oldest=Min("enqueued_at"))
    counts = dict(
        DBTaskResult.objects.exclude(status=TaskResultStatus.SUCCESSFUL)
        .order_by()
        .values_list("status")
        .annotate(n=Count("pk"))
    )
    mail = Mail.objects.filter(sent=None).aggregate(n=Count("pk"), lost=Count("pk", filter=Q(attempts__gte=ATTEMPTS)))
    living = Heartbeat.objects.filter(seen__gte=now - timedelta(seconds=recover.DEAD_AFTER)).count()
    return Standing(
        workers=living,
        due=due["n"],
        later=counts.get(TaskResultStatus.READY, 0) - due["n"],
        running=counts.get(TaskResultStatus.RUNNING, 0),
        failed=counts.get(TaskResultStatus.FAILED, 0),
        oldest=due["oldest"],
        mail_waiting=mail["n"] - mail["lost"],
        mail_given_up=mail["lost"],
    )


def failed() -> QuerySet[DBTaskResult[Any, Any]]:
    """Return the tasks that failed, each with its number as text in `key`, for lists by key."""
    return DBTaskResult.objects.failed().annotate(key=Cast("id", CharField(max_length=40)))


def again(number: UUID) -> str:
    """Put a failed task back into the queue and return what it is; every task may run twice. Raises LookupError."""
    path = _path(number)
    put = DBTaskResult.objects.filter(pk=number, status=TaskResultStatus.FAILED).update(
        status=TaskResultStatus.READY, started_at=None, finished_at=None, exception_class_path="", traceback=""
    )
    if not put:
        raise LookupError(f"task {number} has not failed")
    return path


def forget(number: UUID) -> str:
    """Delete a failed task and return what it was. Raises LookupError."""
    path = _path(number)
    DBTaskResult.objects.filter(pk=number, status=TaskResultStatus.FAILED).delete()
    return path


def _path(number: UUID) -> str:
    found = DBTaskResult.objects.filter(pk=number, status=TaskResultStatus.FAILED).values_list("task_path", flat=True)
    path = found.first()
    if path is None:
        raise LookupError(f"task {number} has not failed")
    return str(path)


def given_up(*, limit: int) -> list[Mail]:
    """Return the newest mail that was given up."""
    return list(Mail.objects.filter(sent=None, attempts__gte=ATTEMPTS).defer("message").order_by("-made")[:limit])


@transaction.atomic
def send_again(number: int) -> None:
    """Try to send mail that was given up, from the first attempt on. Raises LookupError."""
    if not Mail.objects.filter(pk=number, sent=None, attempts__gte=ATTEMPTS).update(attempts=0, error=""):
        raise LookupError(f"mail {number} was not given up")
    deliver.enqueue(number)


def drop_mail(number: int) -> None:
    """Delete mail that was given up. Raises LookupError."""
    if not Mail.objects.filter(pk=number, sent=None, attempts__gte=ATTEMPTS).delete()[0]:
        raise LookupError(f"mail {number} was not given up")
