"""A disk whose bytes lie elsewhere, in runs: what nearly every disk format is.

    class Disk(Mapped):
        def runs(self, start, end):
            yield Run(start, end, self.file, 65536)     # or Run(start, end, None, 0) where there are zeros

A format says where its bytes are, and reading, holes and bounds follow. No byte of a file belongs to two places of a
disk: a table that says so is damaged, and would make a small file endless. `data` ends in an error then.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, check_range

LARGEST_DISK = 1 << 60  # bytes; what claims more is damaged
LARGEST_TABLE = 64 << 20  # bytes of one table that are held in memory; enough for 64 TiB in every format
LARGEST_DIRECTORY = 8 << 20  # bytes of a table of tables; enough for 62 TiB, the largest disk of VMware
UNPACKED_KEPT = 8 << 20  # bytes that stay unpacked, for file systems that read a few KiB here and there


def damaged(label: str, what: str) -> InputError:
    """Return the error for a disk that contradicts itself or its format."""
    return InputError(f"{label}: {what}", hint="the disk is damaged or cut off: copy it again")


def check_used(label: str, *, units: int, unit: int, blocks: Blocks) -> None:
    """Raise InputError if so many units of a size (in bytes) cannot all be in a file: then some are named twice.

    The last one may be cut off. Without this, tables that loop would be walked through for ever.
    """
    if units > 1 and (units - 1) * unit > blocks.size:
        raise damaged(label, "its tables use the same bytes more than once")


class Run(NamedTuple):
    """Bytes of a disk from `start` to `end`, which lie in `source` from `at` on; zeros without a source."""

    start: int
    end: int
    source: Blocks | None
    at: int


class Mapped(ABC):
    """A disk that is put together from runs."""

    label = "the disk"
    size = 0

    @abstractmethod
    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the disk has between two offsets within it, in order and without gaps."""

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length, name=self.label)
        parts = [
            bytes(end - start) if source is None else source.read(at, end - start)
            for start, end, source, at in self.runs(offset, offset + length)
        ]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that may hold something other than zeros. Raises InputError if bytes are used twice."""
        first, last = start, start
        used: dict[int, int] = {}
        for run in self.runs(start, min(end, self.size)) if start < end else ():
            if run.source is None:
                continue
            self._count(run, used)
            for begins, ends in run.source.data(run.at, run.at + run.end - run.start):
                here, there = begins - run.at + run.start, ends - run.at + run.start
                if here != last:
                    if first < last:
                        yield first, last
                    first = here
                last = there
        if first < last:
            yield first, last

    def _count(self, run: Run, used: dict[int, int]) -> None:
        """Raise InputError if a source gave more bytes than it has."""
        source = run.source
        assert source is not None
        total = used[id(source)] = used.get(id(source), 0) + run.end - run.start
        if total > source.size:
            raise damaged(self.label, "its tables use the same bytes more than once")


class Span(Mapped):
    """Several disks one after the other."""

    def __init__(self, parts: Sequence[tuple[Blocks | None, int, int]], *, label: str) -> None:
        """Put parts together: each a source (None is zeros), where it begins there, and its size."""
        self.label = label
        self._runs = []
        for source, at, size in parts:
            self._runs.append(Run(self.size, self.size + size, source, at))
            self.size += size

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield the parts between two offsets."""
        for run in self._runs:
            first, last = max(start, run.start), min(end, run.end)
            if first < last:
                yield Run(first, last, run.source, run.at + first - run.start)


class Packed:
    """Units of one size (clusters, grains) that are kept compressed each, shown as the disk that they unpack to."""

    def __init__(self, unpack: Callable[[int], bytes | bytearray], *, unit: int, most: int) -> None:
        """Show units; `unpack` returns the one with a number; `most` is what the file could unpack to at the best."""
        self._unit, self.size = unit, most
        self._unpack = unpack
        self._unpacked = lru_cache(maxsize=max(4, UNPACKED_KEPT // unit))(unpack)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset` of the disk; only units that are read in part are kept."""
        parts = []
        end = offset + length
        while offset < end:
            number, skip = divmod(offset, self._unit)
            whole = not skip and end - offset >= self._unit
            part = self._unpack(number) if whole else self._unpacked(number)[skip : skip + end - offset]
            parts.append(part)
            offset += len(part)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield all: nobody packs zeros."""
        yield start, end


def parent_runs(parent: Blocks | None, start: int, end: int) -> Iterator[Run]:
    """Yield what a disk shows of the one below it: zeros where there is none, or where it ends before."""
    middle = min(max(start, parent.size if parent else 0), end)
    if start < middle:
        yield Run(start, middle, parent, start)
    if middle < end:
        yield Run(middle, end, None, 0)


def merged(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield runs, with those that follow one another in the same source (or are zeros) as one."""
    pending: Run | None = None
    for run in runs:
        if pending is None:
            pending = run
        elif run.source is pending.source and (
            run.source is None or run.at == pending.at + pending.end - pending.start
        ):
            pending = Run(pending.start, run.end, pending.source, pending.at)
        else:
            yield pending
            pending = run
    if pending:
        yield pending
