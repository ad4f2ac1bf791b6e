"""One file of a file system as a disk, so that what is inside it (a registry hive, say) is read in part."""

from collections import OrderedDict
from collections.abc import Iterator

from jeos.core.errors import InputError
from jeos.disk.blocks import check_range
from jeos.disk.filesystems.base import FileSystem, Node

PAGE = 64 << 10  # bytes that are read at once
PAGES = 64  # that are kept


class Contents:
    """The bytes of a file, read in pages when they are asked for; the last ones are kept."""

    def __init__(self, filesystem: FileSystem, node: Node) -> None:
        self._filesystem, self._node = filesystem, node
        self._pages: OrderedDict[int, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        """Return how many bytes the file has."""
        return self._node.size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`. Raises InputError where the file ends before."""
        check_range(self, offset, length, name="a file")
        end = offset + length
        parts = []
        while offset < end:
            number, skipped = divmod(offset, PAGE)
            part = self._page(number)[skipped : skipped + end - offset]
            if not part:
                raise InputError("a file is shorter than its file system says")
            parts.append(part)
            offset += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield all there is."""
        end = min(end, self.size)
        if start < end:
            yield start, end

    def _page(self, number: int) -> bytes:
        if number not in self._pages:
            self._pages[number] = self._filesystem.read(self._node, offset=number * PAGE, length=PAGE)
            if len(self._pages) > PAGES:
                self._pages.popitem(last=False)
        self._pages.move_to_end(number)
        return self._pages[number]
