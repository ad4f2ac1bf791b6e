"""How verbs print data on standard output: aligned tables for people, JSON for programs."""

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from jeos.core.terminal import plain

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(count: int) -> str:
    """Return bytes in the largest binary unit that keeps the number readable: 1536 is "1.5 KiB"."""
    value = float(count)
    for unit in UNITS:
        if abs(value) < 1024 or unit == UNITS[-1]:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def table(rows: Sequence[Sequence[object]], *, header: Sequence[str], right: Sequence[int] = ()) -> None:
    """Print rows under a header in capitals; columns are as wide as they need, those in `right` flush right."""
    for text in lines(rows, header=header, right=right):
        sys.stdout.write(f"{text}\n")


def lines(
    rows: Sequence[Sequence[object]], *, header: Sequence[str], right: Sequence[int] = (), indent: int = 0
) -> Iterator[str]:
    """Yield the lines of a table, `indent` columns from the edge."""
    cells = [[cell.upper() for cell in header], *[[plain(str(cell)) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield " " * indent + "  ".join(padded).rstrip()


def as_json(value: object) -> None:
    """Print a value (dataclasses, enumerations and paths included) as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def line(text: str = "") -> None:
    """Print one line of data."""
    sys.stdout.write(f"{text}\n")
