"""The database engine that `database.sqlite` names: Django's own, but for the marks of values in statements.

Django writes %s where SQLite wants a question mark, and looks through the text of each statement for them, which takes
as long as SQLite takes to find a row. The statements of pages are the same each time.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import base

TEXTS = 1_024  # statements whose texts a process keeps
LONGEST = 10_000  # characters of one: longer ones name their values and come once


class Cursor(base.SQLiteCursorWrapper):
    """Keeps what became of the text of a statement."""

    def convert_query(self, query: str, *, param_names: Any = None) -> str:
        """Return a statement with the marks of SQLite."""
        if param_names is None and len(query) <= LONGEST:
            return _converted(query)
        return str(super().convert_query(query, param_names=param_names))


@lru_cache(maxsize=TEXTS)
def _converted(query: str) -> str:
    return str(base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%"))


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to SQLite."""

    def create_cursor(self, name: Any = None) -> sqlite3.Cursor:
        """Return a cursor."""
        raw: sqlite3.Connection = self.connection
        return raw.cursor(factory=Cursor)
