"""Django's sessions in the database, but for how one is found: each page of a member asks for one."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from jeos.server import rows

READ = 4_096  # sessions whose contents a process keeps beside the signed text that they were read from


class SessionStore(DatabaseStore):
    """A session, kept in Django's own table; who ends one in the list of sessions deletes its row."""

    def _get_session_from_db(self) -> Session | None:
        key = self.session_key or ""
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        found = rows.first(Session, "session_key = %s AND expire_date > %s", [key, now]) if key.isalnum() else None
        if found is None:
            self._session_key = None
        return found

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        """Return what a session holds; the same signed text is read once, since only one key opens it."""
        read: dict[str, Any] = json.loads(_decoded(session_data))  # anew, as it may be changed in place
        return read


@lru_cache(maxsize=READ)
def _decoded(session_data: bytes | str) -> str:
    return json.dumps(DatabaseStore().decode(session_data))
