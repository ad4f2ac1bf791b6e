"""What the columns of a dump say: texts, whole numbers, times."""

from __future__ import annotations

from datetime import UTC, datetime

from jeos.core.errors import InputError
from jeos.server.importing.sql import Row, Value


def text(row: Row, name: str) -> str:
    """Return a text; NULL and a column that is not there are empty."""
    value: Value = row.values.get(name)
    return (value or "").replace("\0", "")


def number(row: Row, name: str) -> int:
    """Return a whole number; NULL is 0. Raises InputError."""
    value = row.values.get(name) or "0"
    try:
        found = int(value)
    except ValueError as error:
        raise InputError(
            f"{row.table}.{name} is no number: {value[:40]}", hint="is the dump of this program?"
        ) from error
    if abs(found) >= 1 << 53:
        raise InputError(f"{row.table}.{name} is no number of a row: {value[:40]}", hint="is the dump whole?")
    return found


def moment(row: Row, name: str) -> datetime:
    """Return a time; one without a zone is UTC. Raises InputError."""
    value = text(row, name)
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise InputError(f"{row.table}.{name} is no time: {value[:40]}", hint="is the dump of this program?") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
