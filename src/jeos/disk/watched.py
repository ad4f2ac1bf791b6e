"""A disk that tells how far it has been read, so that whoever copies it need not."""

from collections.abc import Callable, Iterator

from jeos.disk.blocks import Blocks


class Watched:
    """A disk; after each read, `tell` is given the offset that was reached and the disk's size."""

    def __init__(self, disk: Blocks, *, tell: Callable[[int, int], None]) -> None:
        self._disk, self._tell = disk, tell

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._disk.size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        content = self._disk.read(offset, length)
        self._tell(offset + length, self._disk.size)
        return content

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that may hold something other than zeros."""
        return self._disk.data(start, end)
