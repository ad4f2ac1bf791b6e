"""Two or more at once in the database: each in a thread with a connection of its own, on what was committed before.

with arena(tmp_path) as at_once:
    results = at_once([lambda: vote(a), lambda: vote(b)])

SQLite's tables of a test live in memory and belong to one connection, so that there the arena is a file that begins as
a copy of them. On PostgreSQL it is the database itself; tests are marked `django_db(transaction=True)`.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

SECONDS = 120  # for what takes milliseconds, on a machine that is busy
AtOnce = Callable[[Sequence[Callable[[], object]]], list[object]]


@contextmanager
def arena(folder: Path) -> Iterator[AtOnce]:
    """Let this thread and those that it starts work on a database with committed rows."""
    before = connections["default"]
    opened: list[BaseDatabaseWrapper] = []
    path = folder / "arena.sqlite3"
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with sqlite3.connect(path) as target:
            connection.connection.backup(target)

    def connect() -> None:
        if before.vendor == "sqlite":
            made = type(before)({**before.settings_dict, "NAME": str(path)}, "default")
            made.inc_thread_sharing()  # closed by whoever ends the arena
            connections["default"] = made
            opened.append(made)

    def at_once(calls: Sequence[Callable[[], object]]) -> list[object]:
        results: list[object] = [None] * len(calls)
        start = threading.Barrier(len(calls))

        def run(position: int) -> None:
            connect()
            try:
                connections["default"].ensure_connection()
                start.wait(SECONDS)
                results[position] = calls[position]()
            except Exception as error:  # what a call raised is its result
                results[position] = error
            finally:
                connections["default"].close()

        threads = [threading.Thread(target=run, args=(position,)) for position in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "two wait for each other"
        return results

    connect()
    try:
        yield at_once
    finally:
        for made in opened:
            made.close()
        connections["default"] = before
