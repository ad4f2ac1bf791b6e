"""Power cuts from a recording: the log of all writes to a disk, and the disk as a cut at any point would have left it.

    log = WriteLog.read(Path("writes"))
    disk = CutDisk(log, base=Path("tiny_1.img"), place=Path("cut.img"))
    with disk.cut(1234, chance=random.Random(7)):
        …                                                  # `cut.img` is what a machine would find

What was written before the last flush is there. Of what came after it, each write is there, or not, or a part of its
sectors is: a disk may do that in any order. (A write that was under way when the flush was asked for counts as flushed:
the log does not tell.) Form of the log: Linux, Documentation/admin-guide/device-mapper/log-writes.rst; QEMU writes it.
"""

import os
import random
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD = 1, 2, 4
KEPT, LOST = 0.45, 0.9  # of the chances: a write that was not flushed is there, is not there, or is torn


@dataclass(frozen=True)
class Write:
    """One write: where on the disk, its bytes, and where in the log its data is (a discard has none)."""

    offset: int
    length: int
    flags: int
    data: int

    def meets(self, start: int, size: int) -> bool:
        """Tell whether it changes a part of the disk."""
        return self.offset < start + size and start < self.offset + self.length


@dataclass(frozen=True)
class WriteLog:
    """All writes and flushes in the order in which they were asked for."""

    place: Path
    writes: tuple[Write, ...]

    @classmethod
    def read(cls, place: Path) -> "WriteLog":
        """Read a log that may lack its end, as that of a machine that was killed."""
        found = []
        size = place.stat().st_size
        with place.open("rb") as file:
            magic, version, _, sector = SUPER.unpack(file.read(SUPER.size))
            assert (magic, version, sector) == (MAGIC, 1, SECTOR), f"{place} is no log of writes"
            position = SECTOR
            while position + SECTOR <= size:
                file.seek(position)
                start, sectors, flags, _ = ENTRY.unpack(file.read(ENTRY.size))
                data = 0 if flags & DISCARD else sectors * SECTOR
                if position + SECTOR + data > size:
                    break
                found.append(Write(start * SECTOR, sectors * SECTOR, flags, position + SECTOR))
                position += SECTOR + data
        return cls(place, tuple(found))

    def count(self, size: int) -> int:
        """Return how many of the writes had begun when the log had `size` bytes."""
        return sum(write.data <= size for write in self.writes)

    def flushed(self, point: int) -> int:
        """Return how many of the first `point` writes were surely on the disk."""
        return next((number for number in range(point, 0, -1) if self.writes[number - 1].flags & FLUSH), 0)


@dataclass
class CutDisk:
    """A disk of which the first `done` writes are there; `base` is what it was before, `place` the file that it is."""

    log: WriteLog
    base: Path
    place: Path
    done: int = 0
    applied: set[int] = field(default_factory=set)  # numbers of the writes that are there, in a cut

    def __post_init__(self) -> None:
        shutil.copyfile(self.base, self.place)

    @contextmanager
    def cut(self, point: int, *, chance: random.Random) -> Iterator[int]:
        """Make the disk what a cut after the first `point` writes left; yields how many of them were flushed.

        Points must not go back. Everything that was not flushed is undone at the end.
        """
        flushed = self.log.flushed(point)
        with self.place.open("r+b", buffering=0) as disk, self.log.place.open("rb") as log:
            for number in range(self.done, flushed):
                self._put(disk.fileno(), log.fileno(), self.log.writes[number])
            self.done = max(self.done, flushed)
            before: list[tuple[int, bytes]] = []
            self.applied = set()
            for number in range(flushed, point):
                write = self.log.writes[number]
                luck = chance.random()
                before.append((write.offset, os.pread(disk.fileno(), write.length, write.offset)))
                if luck < KEPT:
                    self._put(disk.fileno(), log.fileno(), write)
                elif luck >= LOST:
                    self._tear(disk.fileno(), log.fileno(), write, chance=chance)
                if not KEPT <= luck < LOST:
                    self.applied.add(number)
            yield flushed
            for offset, data in reversed(before):
                os.pwrite(disk.fileno(), data, offset)

    def _put(self, disk: int, log: int, write: Write) -> None:
        if write.length:
            os.pwrite(disk, self._data(log, write), write.offset)

    def _tear(self, disk: int, log: int, write: Write, *, chance: random.Random) -> None:
        """Write some of the sectors."""
        data = self._data(log, write)
        for start in range(0, write.length, SECTOR):
            if chance.random() < 0.5:
                os.pwrite(disk, data[start : start + SECTOR], write.offset + start)

    def _data(self, log: int, write: Write) -> bytes:
        return bytes(write.length) if write.flags & DISCARD else os.pread(log, write.length, write.data)


def points(log: WriteLog, *, start: int, end: int, count: int, chance: random.Random) -> list[int]:
    """Return places to cut between two writes, in their order.

    Half are anywhere, most of them while the slot is filled; half are in a random one of the gaps between two flushes,
    so that the few writes that decide (partition table, kernel image, state) get their share.
    """
    flushes = [number for number in range(start, end) if log.writes[number].flags & FLUSH]
    gaps = list(zip([start, *flushes], [*flushes, end], strict=True))
    found = [chance.randint(start, end) for _ in range(count // 2)]
    found += [chance.randint(*chance.choice(gaps)) for _ in range(count - count // 2)]
    return sorted(found)
