"""A gzip file as bytes at offsets (RFC 1952), without a copy of what is in it.

The decompressor's state is kept at places along the way, so that a read begins at the nearest one before it. There are
at most `MOST_MARKS` of them, whatever the size: each takes about 40 KiB, and their distance doubles when they get many.
"""

import bisect
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, check_range

MAGIC = b"\x1f\x8b"
INPUT = 256 << 10  # bytes that are read of the file at once
OUTPUT = 1 << 20  # bytes that are decompressed at once
FIRST_DISTANCE = 4 << 20  # bytes of content between two marks
MOST_MARKS = 512
MOST_MEMBERS = 100_000  # gzip files one after another; parallel compressors make some of 128 KiB and more
GZIP_WINDOW = 31  # zlib's word for gzip with a window of 32 KiB


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in the content, and how to go on from there: the decompressor's state, and where its next input is."""

    offset: int
    state: "zlib._Decompress"
    position: int


def is_gzip(blocks: Blocks) -> bool:
    """Tell whether a file begins as gzip does."""
    return blocks.size > len(MAGIC) and blocks.read(0, len(MAGIC)) == MAGIC


class Gzip:
    """What is in a gzip file; reading it all once tells how large it is."""

    def __init__(self, blocks: Blocks, *, name: str, most: int | None = None) -> None:
        """Decompress the file once, to learn its size.

        Raises InputError, naming `name`, if it is damaged, or if more than `most` bytes are in it.
        """
        self._blocks, self._name = blocks, name
        self._marks = [_Mark(0, zlib.decompressobj(GZIP_WINDOW), 0)]
        self._distance = FIRST_DISTANCE
        self._size = 0
        self._tail = (0, b"")  # what was decompressed last
        self._next: Iterator[bytes] | None = None  # goes on behind it
        for part in self._from(self._marks[0], mark_on=True):
            self._size += len(part)
            if most is not None and self._size > most:
                raise InputError(f"{name} unpacks to more than the {most} bytes that it can need", hint="look at it")

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length, name=self._name)
        parts, end = [], offset + length
        while offset < end:
            start, content = self._piece(offset)
            part = content[offset - start : end - start]
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield all there is: only decompression would tell more."""
        end = min(end, self._size)
        if start < end:
            yield start, end

    def _piece(self, offset: int) -> tuple[int, bytes]:
        """Return some content that has the byte at `offset`, and where it begins."""
        start, content = self._tail
        mark = self._marks[bisect.bisect_right(self._marks, offset, key=lambda one: one.offset) - 1]
        if self._next is None or offset < start or start + len(content) < mark.offset:
            start, content, self._next = mark.offset, b"", self._from(mark)
        while offset >= start + len(content):
            start, content = start + len(content), next(self._next, b"")
            if not content:
                raise InputError(f"{self._name} became shorter while it was read", hint="nothing else may write to it")
            self._tail = start, content
        return start, content

    def _from(self, mark: _Mark, *, mark_on: bool = False) -> Iterator[bytes]:
        """Yield the content behind a mark; with `mark_on`, leave marks on the way."""
        offset, state, rest, position = mark.offset, mark.state.copy(), b"", mark.position
        ends = 0
        while True:
            if state.eof:  # a further gzip member may follow
                rest = (state.unused_data + rest).lstrip(b"\0")
                state, ends = zlib.decompressobj(GZIP_WINDOW), ends + 1
                if ends > MOST_MEMBERS:
                    raise InputError(f"{self._name} is made of more than {MOST_MEMBERS} gzip files", hint="unpack it")
                if not rest and position >= self._blocks.size:
                    return
            if not rest:
                rest = self._blocks.read(position, min(INPUT, self._blocks.size - position))
                position += len(rest)
                if not rest:
                    raise InputError(f"{self._name} is cut off", hint="copy it again")
            try:
                part = state.decompress(rest, OUTPUT)
            except zlib.error as error:
                raise InputError(f"{self._name} is damaged: {error}", hint="copy it again") from None
            rest = state.unconsumed_tail
            offset += len(part)
            if mark_on and not state.eof and offset - self._marks[-1].offset >= self._distance:
                self._remember(_Mark(offset, state.copy(), position - len(rest)))
            if part:
                yield part

    def _remember(self, mark: _Mark) -> None:
        self._marks.append(mark)
        if len(self._marks) > MOST_MARKS:
            self._marks, self._distance = self._marks[::2], self._distance * 2
