"""A worker process: runs tasks of all queues, says that it lives, and looks after what is due and what others left."""

import logging
import threading
import uuid

from django.db import DatabaseError, connections
from django.utils import timezone
from django_tasks_db.management.commands.db_worker import Worker

from jeos.server.jobs import recover, schedule

_log = logging.getLogger(__name__)
POLL = 1.0  # seconds between looks into an empty queue
PRUNE_EVERY = 360  # heartbeats: once an hour


def work(*, once: bool = False) -> None:
    """Run tasks until told to stop, or `once` through what is in the queue."""
    name = uuid.uuid4().hex
    worker = Worker(
        queue_names=["*"],
        interval=POLL,
        batch=once,
        backend_name="default",
        startup_delay=not once,
        max_tasks=None,
        worker_id=name,
        excluded_queue_names=[],
    )
    stopped = threading.Event()
    recover.beat(name, now=timezone.now())
    beating = threading.Thread(target=_beat, args=(name, stopped), daemon=True, name="heartbeat")
    beating.start()
    try:
        if not once:
            worker.configure_signals()
        worker.run()
    finally:
        stopped.set()
        beating.join()


def _beat(name: str, stopped: threading.Event) -> None:
    beats = 0
    try:
        while not stopped.is_set():
            try:
                now = timezone.now()
                recover.beat(name, now=now)
                recover.give_back(now=now)
                schedule.put_due(now=now)
                if beats % PRUNE_EVERY == 0:
                    recover.prune(now=now)
            except DatabaseError:  # a restart of the database must not end the heart of the worker
                _log.exception("the heartbeat failed; it goes on")
                connections.close_all()
            beats += 1
            stopped.wait(recover.BEAT)
    finally:
        connections.close_all()
