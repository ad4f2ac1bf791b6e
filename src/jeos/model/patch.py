"""A patch from one release to another: which content of the new slot comes from where.

Contents are the files that hold something, hard links left out, numbered in tree order in both releases. For each new
one the stream of operations has a number, and for most operations an argument:

    SAME                 the content that the same path has in the old slot
    OLD, where           content `where` of the old slot
    AGAIN, which         the same as an earlier content of the new slot
    MADE + group, from   made by a group, in the group's order; `from` is 0 for no predecessor, 1 for the one that has
                         the same path, else 2 + where

`where` and `which` are distances (folded: 0, -1, 1, …) from the number after that of the last one before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from jeos.model import numbers
from jeos.model.container import wrong
from jeos.model.tree import Entry

FORMAT = 1
BATCH_BYTES = 12 << 20  # of a batch, old and new contents together: what the guest holds in memory at once
MOST_GROUPS = 1024


class Operation(IntEnum):
    """Where a content comes from; numbers from MADE on name a group."""

    SAME = 0
    OLD = 1
    AGAIN = 2
    MADE = 3


class Group(StrEnum):
    """How a group makes its contents."""

    DIFFERENCES = (
        "differences"  # seven streams: lengths to copy and to insert, seeks, sums (three: `sparse`), inserted bytes
    )
    BATCH = "batch"  # one stream: all contents, packed behind all their predecessors
    PLAIN = "plain"  # one stream: all contents, packed alone, to be read in pieces


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one content of the new slot comes from: exactly one of `old`, `again` and `group` is set.

    `old` is a path in the old slot, `again` the number of an earlier content; `before` is a group's predecessor.
    """

    old: str = ""
    again: int = -1
    group: int = -1
    before: str = ""


def origins(packed: Sequence[int], *, new: Sequence[Entry], old: Sequence[Entry], groups: int) -> list[Origin]:
    """Return where each content of the new slot comes from. Raises InputError if the operations do not fit."""
    reader = _Reader(packed)
    old_paths = {entry.path: entry for entry in old}
    expected_old = expected_new = 0
    found: list[Origin] = []
    for number, entry in enumerate(new):
        operation = reader.take()
        if operation == Operation.SAME:
            found.append(Origin(old=_same(entry, old_paths).path))
        elif operation == Operation.OLD:
            where = reader.place(expected_old, most=len(old))
            found.append(Origin(old=old[where].path))
            expected_old = where + 1
        elif operation == Operation.AGAIN:
            which = reader.place(expected_new, most=number)
            found.append(Origin(again=which))
            expected_new = which + 1
        else:
            group, before = operation - Operation.MADE, reader.take()
            if group >= groups:
                raise wrong(f"it has no group {group}")
            path = ""
            if before == 1:
                path = _same(entry, old_paths).path
            elif before >= 2:
                where = reader.unfolded(before - 2, expected_old, most=len(old))
                path, expected_old = old[where].path, where + 1
            found.append(Origin(group=group, before=path))
    reader.end()
    _check_sizes(found, new=new, old=old_paths)
    return found


def _same(entry: Entry, old: Mapping[str, Entry]) -> Entry:
    found = old.get(entry.path)
    if found is None:
        raise wrong("a file is said to be in the old slot, and is not")
    return found


def _check_sizes(found: Sequence[Origin], *, new: Sequence[Entry], old: Mapping[str, Entry]) -> None:
    for origin, entry in zip(found, new, strict=True):
        source = old[origin.old] if origin.old else new[origin.again] if origin.again >= 0 else entry
        if source.size != entry.size:
            raise wrong(f"/{entry.path} has {entry.size} bytes, and what it is copied from {source.size}")


class _Reader:
    """Takes operations one after the other."""

    def __init__(self, packed: Sequence[int]) -> None:
        self._packed = packed
        self._position = 0

    def take(self) -> int:
        if self._position >= len(self._packed):
            raise wrong("it has too few operations")
        self._position += 1
        return self._packed[self._position - 1]

    def place(self, expected: int, *, most: int) -> int:
        return self.unfolded(self.take(), expected, most=most)

    def unfolded(self, folded: int, expected: int, *, most: int) -> int:
        where = expected + numbers.unfold(folded)
        if not 0 <= where < most:
            raise wrong(f"it names content {where} of {most}")
        return where

    def end(self) -> None:
        if self._position != len(self._packed):
            raise wrong("it has too many operations")
