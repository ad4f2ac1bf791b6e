"""Several runs of bytes as one, one after the other: a file that is kept in pieces."""

import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate

from jeos.disk.blocks import Blocks, check_range


class Span:
    """The bytes of several sources, in their order."""

    def __init__(self, parts: Sequence[Blocks]) -> None:
        self._parts = [part for part in parts if part.size]
        self._ends = list(accumulate(part.size for part in self._parts))

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._ends[-1] if self._ends else 0

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length)
        return b"".join(self._parts[number].read(start, size) for number, start, size in self._split(offset, length))

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that the parts have bytes for."""
        for number, first, size in self._split(start, max(0, min(end, self.size) - start)):
            base = self._ends[number] - self._parts[number].size
            for low, high in self._parts[number].data(first, first + size):
                yield base + low, base + high

    def _split(self, offset: int, length: int) -> Iterator[tuple[int, int, int]]:
        """Yield the number of each part that has some of these bytes, where they begin in it, and how many they are."""
        number = bisect.bisect_right(self._ends, offset)
        while length > 0:
            start = offset - (self._ends[number] - self._parts[number].size)
            size = min(length, self._parts[number].size - start)
            yield number, start, size
            offset, length, number = offset + size, length - size, number + 1
