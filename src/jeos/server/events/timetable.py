"""A day as a table: a row for each moment at which something begins or ends, a column for each room.

    grid([Placed(1, "a", nine, 60, room=1), Placed(2, "b", ten, 60, room=None)], rooms=[1, 2])

A session spans the rows of its time. What is everywhere spans all columns, if nothing else is at its time; otherwise
it stands in a column of its own, whose room is None. Sessions that share room and time stand in one cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jeos.server.events.placed import Placed


@dataclass(frozen=True)
class Cell:
    """A cell of the table: its sessions, none where nothing is, and over how many rows and columns it goes."""

    sessions: tuple[Placed, ...] = ()
    rows: int = 1
    columns: int = 1


@dataclass(frozen=True)
class Row:
    """What begins at one moment, from left to right; `busy` says that something does."""

    time: datetime
    cells: tuple[Cell, ...]

    @property
    def busy(self) -> bool:
        """Tell whether something begins."""
        return any(cell.sessions for cell in self.cells)


@dataclass(frozen=True)
class Grid:
    """A day's table; `rooms` are its columns."""

    rooms: tuple[int | None, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Block:
    """Sessions of one column that overlap, as one."""

    sessions: tuple[Placed, ...]
    begins: datetime
    ends: datetime


def grid(placed: Sequence[Placed], *, rooms: Sequence[int]) -> Grid:
    """Return the table of a day. A session in a room that is not listed is taken as being everywhere."""
    placed = [one for one in placed if one.minutes > 0]
    known = set(rooms)
    local = [one for one in placed if one.room in known]
    wide = _blocks([one for one in placed if one.room not in known])
    spanning = [block for block in wide if rooms and not any(_meets(block, one) for one in local)]
    beside = [block for block in wide if block not in spanning]
    columns: tuple[int | None, ...] = (*rooms, None) if beside else tuple(rooms)
    by_column: dict[int | None, list[_Block]] = {
        room: _blocks([one for one in local if one.room == room]) for room in rooms
    }
    by_column[None] = beside
    moments = sorted({moment for one in placed for moment in (one.begins, one.ends)})
    at = {moment: place for place, moment in enumerate(moments)}
    rows = [_row(moment, at, columns, by_column, spanning) for moment in moments[:-1]]
    return Grid(rooms=columns, rows=tuple(rows))


def _meets(block: _Block, session: Placed) -> bool:
    """Tell whether a session is at the time of a block."""
    return session.begins < block.ends and block.begins < session.ends


def _row(
    moment: datetime,
    at: dict[datetime, int],
    columns: Sequence[int | None],
    by_column: dict[int | None, list[_Block]],
    spanning: Sequence[_Block],
) -> Row:
    """Return the row of one moment: what begins then, and empty cells where nothing goes on."""
    for block in spanning:
        if block.begins <= moment < block.ends:
            cell = Cell(block.sessions, at[block.ends] - at[block.begins], len(columns))
            return Row(moment, (cell,) if block.begins == moment else ())
    cells: list[Cell] = []
    for column in columns:
        running = next((one for one in by_column[column] if one.begins <= moment < one.ends), None)
        if running is None:
            cells.append(Cell())
        elif running.begins == moment:
            cells.append(Cell(running.sessions, at[running.ends] - at[running.begins]))
    return Row(moment, tuple(cells))


def _blocks(placed: Sequence[Placed]) -> list[_Block]:
    """Return sessions of one column by time, those that overlap together."""
    blocks: list[_Block] = []
    for one in sorted(placed, key=lambda one: (one.begins, one.number)):
        if blocks and one.begins < blocks[-1].ends:
            last = blocks.pop()
            blocks.append(_Block((*last.sessions, one), last.begins, max(last.ends, one.ends)))
        else:
            blocks.append(_Block((one,), one.begins, one.ends))
    return blocks
