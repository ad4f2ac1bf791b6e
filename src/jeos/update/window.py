"""Read many small pieces that lie close together: the bytes around the last one stay in memory.

read = Window(partial(base.read_range, path), size=size)
read(4096, 100)          # reads 64 KiB, from which the next pieces come
"""

from collections.abc import Callable

WINDOW_BYTES = 64 << 10
BEFORE = 8 << 10  # bytes before a piece that are read too: steps of differences seek back a little at times


class Window:
    """What reads a content of `size` bytes by `read` (offset, length); what `read` raises is raised here, too."""

    def __init__(self, read: Callable[[int, int], bytes], *, size: int) -> None:
        self._read, self._size = read, size
        self._start, self._data = 0, b""

    def __call__(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on."""
        at = offset - self._start
        if at >= 0 and at + length <= len(self._data):
            return self._data[at : at + length]
        if length > WINDOW_BYTES - BEFORE or not 0 <= offset <= offset + length <= self._size:
            return self._read(offset, length)
        self._start = max(0, offset - BEFORE)
        self._data = self._read(self._start, min(WINDOW_BYTES, self._size - self._start))
        at = offset - self._start
        return self._data[at : at + length]
