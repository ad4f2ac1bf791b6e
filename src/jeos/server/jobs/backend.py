"""Where background work waits: the table of django-tasks-db, into which tasks go by a statement that is made once."""

from __future__ import annotations

from typing import Any, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django_tasks_db.backend import DatabaseBackend, TaskResult
from django_tasks_db.compat import Task, TaskResultStatus, normalize_json, task_enqueued
from django_tasks_db.models import DBTaskResult, get_date_max

from jeos.server import rows

P = ParamSpec("P")
T = TypeVar("T")


class Backend(DatabaseBackend):
    """django-tasks-db, but for how a task is written down: most of what members do has one."""

    def enqueue(
        self,
        task: Task[P, T],
        args: P.args,  # type: ignore[valid-type] # as the one of django-tasks-db
        kwargs: P.kwargs,  # type: ignore[valid-type]
    ) -> TaskResult[P, T]:
        """Put a task into the queue, and return how it stands. That it can be done was seen when the task was made."""
        row: DBTaskResult[Any, Any] = DBTaskResult(
            id=self._get_id(),
            args_kwargs=normalize_json({"args": args, "kwargs": kwargs}),
            priority=task.priority,
            task_path=task.module_path,
            queue_name=task.queue_name,
            run_after=task.run_after or get_date_max(),  # without a time it is due at once, which is kept so
            backend_name=self.alias,
        )
        rows.write(row)
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
        made: TaskResult[P, T] = TaskResult(
            db_result=row,
            task=task,
            id=str(row.pk),
            status=TaskResultStatus.READY,
            enqueued_at=row.enqueued_at,
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=row.args_kwargs["args"],
            kwargs=row.args_kwargs["kwargs"],
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        task_enqueued.send(type(self), task_result=made)
        return made
