"""Cursors for statements that are made once and run in every page: PostgreSQL keeps them, read and planned.

    with statements.cursor() as cursor:
        cursor.execute("SELECT number FROM forum_readthread WHERE member_id = %s", [7])

Django puts values into the text of a statement, so that the server reads and plans each anew, several times the work of
answering with a row by its key. Here values go apart from the text, and the text is sent once for each connection. So
it must be the same each time (`among`), and LIMIT is no value: a plan for any number of rows is none for few. What is
searched for stays with Django's cursors, since there the best plan depends on the values.
"""

from __future__ import annotations

from collections.abc import Sequence
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
