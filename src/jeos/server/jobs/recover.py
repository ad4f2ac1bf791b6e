"""Workers that died: their heartbeats stop, and what they had begun goes back into the queue.

Every task can therefore run twice, and is written so that the second time does nothing that was done.
"""

from datetime import datetime, timedelta

from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from jeos.server.jobs.models import Heartbeat

BEAT = 10  # seconds between heartbeats
DEAD_AFTER = 6 * BEAT  # a busy machine may be late several times
KEEP_DAYS = 7  # how long finished tasks are kept, to look at


def beat(worker: str, *, now: datetime) -> None:
    """Say that a worker lives."""
    Heartbeat.objects.update_or_create(worker=worker, defaults={"seen": now})


def give_back(*, now: datetime) -> int:
    """Put back what dead workers had begun, and return how many tasks that were."""
    Heartbeat.objects.filter(seen__lt=now - timedelta(seconds=DEAD_AFTER)).delete()
    living = set(Heartbeat.objects.values_list("worker", flat=True))
    given = 0
    # Who has just started may not have said so yet.
    begun = DBTaskResult.objects.filter(
        status=TaskResultStatus.RUNNING, started_at__lt=now - timedelta(seconds=DEAD_AFTER)
    )
    for task in begun:
        if not task.worker_ids or task.worker_ids[-1] not in living:
            given += DBTaskResult.objects.filter(
                pk=task.pk, status=TaskResultStatus.RUNNING, worker_ids=task.worker_ids
            ).update(status=TaskResultStatus.READY, started_at=None)
    return given


def prune(*, now: datetime) -> int:
    """Delete finished tasks that are old, and return how many."""
    old = now - timedelta(days=KEEP_DAYS)
    return DBTaskResult.objects.finished().filter(finished_at__lt=old).delete()[0]
