"""Single rows of the busiest tables, read and written by statements that are made once for each table.

    rows.by_number(Thread, 7)       # the thread, or None
    rows.insert(post)               # and post.pk is its number

The ORM makes each statement anew, which takes five times as long as the database takes to answer it. Values become
columns and columns values by the ORM's own fields, so that a row is the same either way. Signals are not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import AutoField, BooleanField, CharField, Field, ForeignKey, IntegerField, Model, TextField

from jeos.server import statements

LARGEST = (1 << 63) - 1  # number that either database knows
PLAIN = (str, int, bool)
AS_IT_IS = (CharField, TextField, IntegerField, BooleanField, ForeignKey)
Row = TypeVar("Row", bound=Model)
Value = str | int | bool | None
Values = Sequence[object]


@dataclass(frozen=True)
class _Table:
    """What is made once of a model: its fields, the columns that a statement asks for, and how they become values."""

    names: tuple[str, ...]
    columns: tuple[str, ...]
    converters: tuple[tuple[int, Callable[..., object], object], ...]  # place, function, expression


@cache
def _table(model: type[Model]) -> _Table:
    fields = model._meta.concrete_fields
    converters = []
    for place, field in enumerate(fields):
        column = field.cached_col
        for convert in (*connection.ops.get_db_converters(column), *field.get_db_converters(connection)):
            converters.append((place, convert, column))
    quote = connection.ops.quote_name
    return _Table(
        names=tuple(field.attname for field in fields),
        columns=tuple(quote(_column(field)) for field in fields),
        converters=tuple(converters),
    )


def _column(field: Field[Any, Any]) -> str:
    assert field.column is not None, field
    return field.column


@cache
def columns(model: type[Model], table: str) -> str:
    """Return the columns of a model, to be selected from a table that is called `table`, in `read`'s order."""
    return ", ".join(f"{table}.{name}" for name in _table(model).columns)


def read(model: type[Row], values: Values) -> Row:
    """Return the instance that a selected row begins with; what comes after its columns is left alone."""
    table = _table(model)
    plain = list(values[: len(table.names)])
    for place, convert, column in table.converters:
        if plain[place] is not None:
            plain[place] = convert(plain[place], column, connection)
    return model.from_db(DEFAULT_DB_ALIAS, table.names, plain)


def moment(column: str) -> str:
    """Return how a statement asks for a moment that `aware` reads: as a text, which becomes one far faster.

    Django lets PostgreSQL tell times in UTC, as ISO 8601.
    """
    return f"{column} || '+00:00'" if connection.vendor == "sqlite" else f"{column}::text"


def aware(when: datetime | str) -> datetime:
    """Return a moment with its zone, read from a text or as the database has it: SQLite keeps moments without one."""
    if type(when) is str:
        return datetime.fromisoformat(when)
    assert isinstance(when, datetime)
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def by_number(model: type[Row], number: int) -> Row | None:
    """Return the row with this number, which may come from an address, or None."""
    return first(model, "id = %s", [number]) if 0 < number <= LARGEST else None


def first(model: type[Row], where: str, values: Sequence[Value]) -> Row | None:
    """Return a row that a condition finds, or None."""
    with statements.cursor() as cursor:
        cursor.execute(_selection(model, where), values)
        found = cursor.fetchone()
    return read(model, found) if found else None


@cache
def _selection(model: type[Model], where: str) -> str:
    name = connection.ops.quote_name(model._meta.db_table)
    return f"SELECT {columns(model, name)} FROM {name} WHERE {where} LIMIT 1"  # noqa: S608 - names of our own tables


def write(row: Model) -> None:
    """Insert a row whose number nobody asks for; within `statements.together` it is sent with others."""
    database = connections[DEFAULT_DB_ALIAS]
    statement, fields, _ = _insertion(type(row), False, row.pk is None, False)
    statements.write(statement, [_value(row, field, plain, database) for field, plain in fields])


def _value(row: Model, field: Field[Any, Any], plain: bool, database: BaseDatabaseWrapper) -> object:
    value = getattr(row, field.attname) if plain else None
    if value is None or type(value) not in PLAIN:
        value = field.get_db_prep_save(field.pre_save(row, True), database)
    return value


def insert(row: Model, *, once: bool = False) -> bool:
    """Insert a row and set its number; `once` lets it be if there is one with the same key. Tell whether it came in."""
    database = connections[DEFAULT_DB_ALIAS]
    statement, fields, numbered = _insertion(type(row), once, row.pk is None, True)
    values: list[Any] = [_value(row, field, plain, database) for field, plain in fields]
    with statements.cursor() as cursor:
        cursor.execute(statement, values)
        if not numbered:
            came = cursor.rowcount > 0
        elif found := cursor.fetchone():
            row.pk, came = found[0], True
        else:
            came = False
    row._state.adding, row._state.db = not came, DEFAULT_DB_ALIAS
    return bool(came)


@cache
def _insertion(
    model: type[Model], once: bool, numbered: bool, asked: bool
) -> tuple[str, tuple[tuple[Field[Any, Any], bool], ...], bool]:
    """Return the statement, the fields whose values it takes, and whether the database gives the row its number; the
    statement returns that if it is asked.

    With each field it is told whether it gives its database numbers and texts as they are.
    """
    concrete = cast(Sequence[Field[Any, Any]], model._meta.concrete_fields)
    key = model._meta.pk
    numbered = numbered and isinstance(key, AutoField)
    fields = tuple(field for field in concrete if not (numbered and field is key))
    quote = connection.ops.quote_name
    names = ", ".join(quote(_column(field)) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    conflict = " ON CONFLICT DO NOTHING" if once else ""
    back = f" RETURNING {quote(_column(key))}" if numbered and asked else ""
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({marks}){conflict}{back}"  # noqa: S608
    return statement, tuple((field, isinstance(field, AS_IT_IS)) for field in fields), numbered
