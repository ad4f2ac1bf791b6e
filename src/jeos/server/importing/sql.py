r"""Dumps of databases, read row by row, within bounds: nothing in them is ever run.

    for row in rows(lines, wanted={"posts"}): row.table, row.values["raw"]

Two forms are read: `COPY table (columns) FROM stdin;` with tab-separated lines up to `\.`, as pg_dump writes
(PostgreSQL manual, "COPY", text format), and `INSERT INTO table (columns) VALUES (…), (…);`, as mysqldump writes (MySQL
manual, "String Literals"), where columns may stand in the CREATE TABLE before. What is neither is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO

from jeos.core.errors import InputError

LONGEST = 64 << 20  # characters of one line: mysqldump puts a megabyte into one, and more if told to
COLUMNS = 500
_COPY = re.compile(r'\ACOPY (?:"?\w+"?\.)?"?(\w+)"? \(([^)]{1,20000})\) FROM stdin;\s*\Z', re.IGNORECASE)
_CREATE = re.compile(r"\ACREATE TABLE (?:IF NOT EXISTS )?[`\"]?(\w+)[`\"]? \(\s*\Z", re.IGNORECASE)
_COLUMN = re.compile(r"\A\s*[`\"](\w+)[`\"]\s")
_INSERT = re.compile(r"INSERT (?:IGNORE )?INTO [`\"]?(\w+)[`\"]?\s*(?:\(([^)]{1,20000})\)\s*)?VALUES\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9.]{1,40}(?:[eE][-+]?[0-9]{1,4})?")
_WORD = re.compile(r"NULL|TRUE|FALSE", re.IGNORECASE)
_PLAIN = re.compile(r"[^'\\]+")
_COPIED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_QUOTED = {"0": "", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}  # NUL is no character of a text
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

Value = str | None


@dataclass(frozen=True)
class Row:
    """A row of a table; every value is a text, or None for NULL."""

    table: str
    values: Mapping[str, Value]


def rows(lines: Iterable[str], *, wanted: Collection[str]) -> Iterator[Row]:
    """Return the rows of some tables in the order of a dump. Raises InputError for one that is torn."""
    known: dict[str, list[str]] = {}
    numbered = enumerate(lines, start=1)
    for number, line in numbered:
        if len(line) > LONGEST:
            raise InputError(f"line {number} is longer than {LONGEST} characters", hint="is it a dump?")
        if copied := _COPY.match(line):
            yield from _copied(numbered, copied[1], _names(copied[2]), wanted=copied[1] in wanted)
        elif created := _CREATE.match(line):
            known[created[1]] = _created(numbered)
        elif (inserted := _INSERT.match(line)) and inserted[1] in wanted:
            columns = _names(inserted[2]) if inserted[2] else known.get(inserted[1], [])
            yield from _inserted(line, inserted.end(), inserted[1], columns, number=number)


def bounded(source: TextIO) -> Iterator[str]:
    """Return the lines of a file without ever holding more than the longest that a dump may have."""
    return iter(lambda: source.readline(LONGEST + 1), "")


def _names(text: str) -> list[str]:
    return [name.strip().strip('`"') for name in text.split(",")][:COLUMNS]


def _copied(numbered: Iterator[tuple[int, str]], table: str, columns: list[str], *, wanted: bool) -> Iterator[Row]:
    """Return the rows of a COPY; read past them if they are not wanted."""
    for number, line in numbered:
        text = line.rstrip("\n")
        if text == "\\.":
            return
        if not wanted:
            continue
        values = text.split("\t")
        if len(values) != len(columns):
            raise InputError(f"line {number} has {len(values)} values for {len(columns)} columns", hint="is it whole?")
        yield Row(table, dict(zip(columns, map(_uncopied, values), strict=True)))
    raise InputError(f"the dump ends within {table}", hint="it is not whole")


def _uncopied(text: str) -> Value:
    if text == "\\N":
        return None
    return _ESCAPE.sub(lambda found: _COPIED.get(found[1], found[1]), text) if "\\" in text else text


def _created(numbered: Iterator[tuple[int, str]]) -> list[str]:
    """Return the columns that a CREATE TABLE names, one on each line."""
    columns: list[str] = []
    for _number, line in numbered:
        found = _COLUMN.match(line)
        if found and len(columns) < COLUMNS:
            columns.append(found[1])
        if line.startswith(")") or line.rstrip().endswith(";"):
            break
    return columns


def _inserted(line: str, at: int, table: str, columns: list[str], *, number: int) -> Iterator[Row]:
    """Return the rows of an INSERT, whose values begin at a place in a line."""
    torn = InputError(
        f"line {number} holds no rows of {table} as mysqldump writes them", hint="one statement on a line"
    )
    while True:
        if line[at : at + 1] != "(":
            raise torn
        values: list[Value] = []
        while line[at : at + 1] in ("(", ","):
            value, at = _value(line, _past(line, at + 1), torn)
            values.append(value)
            at = _past(line, at)
        if line[at : at + 1] != ")":
            raise torn
        if len(values) != len(columns):
            raise InputError(f"line {number} has {len(values)} values for {len(columns)} columns", hint="is it whole?")
        yield Row(table, dict(zip(columns, values, strict=True)))
        at = _past(line, at + 1)
        if line[at : at + 1] != ",":
            return
        at = _past(line, at + 1)


def _past(line: str, at: int) -> int:
    """Return the next place that is no space."""
    while line[at : at + 1] == " ":
        at += 1
    return at


def _value(line: str, at: int, torn: InputError) -> tuple[Value, int]:
    """Return the value that begins at a place, and where it ends."""
    if line[at : at + 8].startswith("_binary "):
        at += 8
    if line[at : at + 1] != "'":
        found = _NUMBER.match(line, at) or _WORD.match(line, at)
        if found is None:
            raise torn
        return (None if found[0].upper() == "NULL" else found[0]), found.end()
    at += 1
    parts: list[str] = []
    while True:
        if plain := _PLAIN.match(line, at):
            parts.append(plain[0])
            at = plain.end()
        sign = line[at : at + 1]
        if sign == "\\" and at + 1 < len(line):
            parts.append(_QUOTED.get(line[at + 1], line[at + 1]))
            at += 2
        elif line[at : at + 2] == "''":
            parts.append("'")
            at += 2
        elif sign == "'":
            return "".join(parts), at + 1
        else:
            raise torn
