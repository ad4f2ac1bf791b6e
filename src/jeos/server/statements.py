"""Cursors for statements that are made once and run in every page: PostgreSQL keeps them, read and planned.

    with statements.cursor() as cursor:
        cursor.execute("SELECT number FROM forum_readthread WHERE member_id = %s", [7])

Django puts values into the text of a statement, so that the server reads and plans each anew, several times the work of
answering with a row by its key. Here values go apart from the text, and the text is sent once for each connection. So
it must be the same each time (`among`), and LIMIT is no value: a plan for any number of rows is none for few. What is
searched for stays with Django's cursors, since there the best plan depends on the values.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

Values = list[Any]


def cursor() -> CursorWrapper:
    """Return a cursor of the connection, which counts and tells what it does as Django's own do."""
    if connection.vendor == "postgresql":
        made: CursorWrapper = connection.kept_cursor()  # type: ignore[attr-defined] # of our own engine
        return made
    return connection.cursor()


def among(column: str, numbers: Sequence[int]) -> tuple[str, Values]:
    """Return a condition that a column is one of some numbers, and its values; on PostgreSQL always the same text."""
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s::bigint[])", [f"{{{','.join(map(str, numbers))}}}"]
    return f"{column} IN ({', '.join(['%s'] * len(numbers))})", list(numbers)


class _Waiting(threading.local):
    """What a thread has written and not sent yet; None outside of `together`."""

    statements: list[tuple[str, Sequence[Any]]] | None = None


_waiting = _Waiting()


def write(statement: str, values: Sequence[Any]) -> None:
    """Execute a statement whose answer nobody waits for; within `together` it goes to PostgreSQL with the others."""
    if _waiting.statements is not None:
        _waiting.statements.append((statement, values))
        return
    with cursor() as one:
        one.execute(statement, values)


@contextmanager
def together() -> Iterator[None]:
    """Send what is written within as one statement, where the database takes that; nothing of it if an error is raised.

    No two of them may change the same row, and none sees what the others did. PostgreSQL executes what WITH holds from
    the last to the first, where nothing reads from it (`ExecPostprocessPlan`); a test sees that they run in the order
    in which they were written.
    """
    if connection.vendor != "postgresql" or _waiting.statements is not None:
        yield
        return
    found: list[tuple[str, Sequence[Any]]] = []
    _waiting.statements = found
    try:
        yield
    finally:
        _waiting.statements = None
    if found:
        found.reverse()
        parts = ", ".join(f"w{place} AS ({statement})" for place, (statement, _) in enumerate(found))
        with cursor() as one:
            one.execute(f"WITH {parts} SELECT 1", [value for _, values in found for value in values])
