"""A disk as bytes at offsets, wherever they are kept: in a file, in part of one, or in a disk format.

    with blocks.File(Path("disk.raw")) as disk:
        sector = disk.read(0, 512)
        for start, end in disk.data(0, disk.size):      # what may hold something other than zeros
            copy(disk.read(start, end - start))

Everything that reads disks (partition tables, file systems, converters, backups) stands on `Blocks`, so that a file
system can be read inside a qcow2 file inside a tar archive without a copy. What a source says of itself is not
believed: a reader never returns fewer bytes than it was asked for, and never allocates more than that.
"""

import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from jeos.core.closing import Closing
from jeos.core.errors import InputError

PIECE = 1 << 20  # bytes that are read at once where a whole disk passes through


class Blocks(Protocol):
    """A disk, or a part of one, that can be read at any place."""

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`; holes are zeros.

        Raises InputError where the disk ends before, or where what holds it is damaged.
        """
        ...

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges (start, end) between two offsets that may hold something other than zeros, in order.

        Ranges are not empty, do not overlap, and stay within `start` and `end`. What lies between them is zeros.
        """
        ...


def check_range(blocks: Blocks, offset: int, length: int, *, name: str = "the disk") -> None:
    """Raise InputError if these bytes are not all inside."""
    if offset < 0 or length < 0 or offset + length > blocks.size:
        raise InputError(
            f"{name} has {blocks.size} bytes, and does not reach to byte {offset + length}",
            hint="it is cut off or damaged: copy it again",
        )


class File(Closing):
    """A file, or a block device, whose bytes are the disk's; closes it at the end of a `with` block."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises InputError if it cannot be read."""
        self.path = path
        try:
            # Without waiting, or a pipe that nobody writes to would stop us for ever.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            kind = os.fstat(self._descriptor).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISBLK(kind)):
                os.close(self._descriptor)
                raise InputError(f"{path} is neither a file nor a block device", hint="give a disk, or a file with one")
            self._size = os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", hint="look at its name and rights") from None

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length, name=str(self.path))
        parts = []
        while length:
            part = os.pread(self._descriptor, length, offset)
            if not part:
                raise InputError(f"{self.path} became shorter while it was read", hint="nothing else may write to it")
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that the file system of this host has bytes for."""
        position, end = start, min(end, self._size)
        while position < end:
            try:
                first = os.lseek(self._descriptor, position, os.SEEK_DATA)
                last = os.lseek(self._descriptor, first, os.SEEK_HOLE)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole until the end
                    return
                if error.errno != errno.EINVAL:  # what a device says, which knows no holes
                    raise
                first, last = position, end
            if first >= end:
                return
            yield first, min(last, end)
            position = last

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class Memory:
    """Bytes in memory as a disk."""

    def __init__(self, content: bytes | bytearray) -> None:
        self.content = content

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length)
        return bytes(self.content[offset : offset + length])

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield all there is."""
        end = min(end, len(self.content))
        if start < end:
            yield start, end


class Window:
    """A part of a disk: a partition, a member of an archive."""

    def __init__(self, blocks: Blocks, *, start: int, size: int) -> None:
        """Show `size` bytes from `start` on. Raises InputError if the disk does not have them."""
        check_range(blocks, start, size)
        self._blocks, self._start, self._size = blocks, start, size

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length)
        return self._blocks.read(self._start + offset, length)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that the disk has bytes for."""
        end = min(end, self._size)
        if start < end:
            for first, last in self._blocks.data(self._start + start, self._start + end):
                yield first - self._start, last - self._start


class _Stream(io.RawIOBase):
    """A disk for code that reads files."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks, self._position = blocks, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._blocks.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        length = max(0, min(len(view), self._blocks.size - self._position))
        if length:
            view[:length] = self._blocks.read(self._position, length)
            self._position += length
        return length


def stream(blocks: Blocks) -> BinaryIO:
    """Return a file to read the disk with, for code that wants one (`gpt.read`, `tarfile`)."""
    return io.BufferedReader(_Stream(blocks))


def pieces(blocks: Blocks, *, size: int = PIECE) -> Iterator[tuple[int, bytes]]:
    """Yield what is not zeros, as offsets (multiples of `size`) and bytes: at most `size` each, fewer at the end."""
    done = 0
    for start, end in blocks.data(0, blocks.size):
        position = max(done, start - start % size)
        while position < end:
            length = min(size, blocks.size - position)
            content = blocks.read(position, length)
            if content.count(0) != length:
                yield position, content
            position += length
        done = position
