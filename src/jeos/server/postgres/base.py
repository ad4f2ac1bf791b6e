"""The database engine that `database.postgres` names: Django's own, but for what each page pays for.

Statements that are made once are kept by the server (`kept_cursor`). And Django asks a connection whether it still
answers before each request, which costs as much as finding a row. There is no need to ask as long as nothing came
through its socket: neither the end of the connection nor the last words of a server that is being stopped.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base, operations
from django.db.backends.utils import CursorWrapper
from psycopg.types.numeric import Int8Dumper

STATEMENTS = 300  # that the server keeps for a connection, several times of what there are


class Kept(base.ServerBindingCursor):
    """Lets the server keep what it executes, unless the connection was told to keep nothing."""

    def execute(self, query: Any, params: Any = None) -> Any:
        """Execute a statement with its values apart from it."""
        return super().execute(query, params, prepare=True)  # type: ignore[misc] # the stubs know no psycopg 3


class DatabaseOperations(operations.DatabaseOperations):
    """What Django asks about PostgreSQL."""

    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """Return a statement with its values in it, for logs and tests."""
        if isinstance(cursor, Kept):
            return str(self.compose_sql(sql, params))
        return str(super().last_executed_query(cursor, sql, params))


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL."""

    ops_class = DatabaseOperations
    health_check_enabled: bool
    health_check_done: bool

    def kept_cursor(self) -> CursorWrapper:
        """Return a cursor whose statements the server reads and plans once."""
        self.close_if_health_check_failed()
        self.ensure_connection()
        raw: Any = self.connection
        if raw.prepared_max != STATEMENTS:
            raw.prepared_max = STATEMENTS
            raw.adapters.register_dumper(int, Int8Dumper)  # as one type, so that a statement is kept once
        with self.wrap_database_errors:
            wrapped: CursorWrapper = self._prepare_cursor(Kept(raw))  # type: ignore[attr-defined, call-arg]
        return wrapped

    def close_if_health_check_failed(self) -> None:
        """Ask the server whether it answers, if there is anything that makes one doubt it."""
        if self.connection is not None and self.health_check_enabled and not self.health_check_done:
            self.health_check_done = _is_silent(self.connection)
        super().close_if_health_check_failed()


def _is_silent(raw: Any) -> bool:
    """Tell whether an idle connection is open and nothing waits to be read from it."""
    if raw.closed:
        return False
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN | select.POLLPRI | select.POLLRDHUP)
    return not poll.poll(0)
