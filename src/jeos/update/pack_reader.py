"""Contents out of a release's packs, fetched frame by frame; a frame is looked into only once its digest is right."""

from collections.abc import Callable, Iterator
from hashlib import sha256

from jeos.disk import zstd_library as zstd
from jeos.model.container import wrong
from jeos.model.pack_index import PackIndex, Place
from jeos.model.release import Blob

Fetch = Callable[[Blob, int, int], bytes]


class PackReader:
    """Reads contents by their place; the last frame is kept, since the next content is mostly in it too."""

    def __init__(self, index: PackIndex, *, fetch: Fetch) -> None:
        self._index = index
        self._fetch = fetch
        self._number = -1
        self._data = b""

    def pieces(self, place: Place) -> Iterator[bytes]:
        """Yield a content. Raises InputError if the channel has another one, and what `fetch` raises."""
        number, offset, left = place.frame, place.offset, place.size
        while left:
            data = self._frame(number)
            piece = data[offset : offset + left]
            offset = max(0, offset - len(data))
            left -= len(piece)
            number += 1
            if piece:
                yield piece

    def _frame(self, number: int) -> bytes:
        if number != self._number:
            frame = self._index.frames[number]
            packed = self._fetch(self._index.packs[frame.pack], frame.offset, frame.length)
            if sha256(packed).hexdigest() != frame.digest:
                raise wrong(f"frame {number} of the packs does not have its digest")
            self._data = zstd.decompress(packed, size=frame.size)
            self._number = number
        return self._data
