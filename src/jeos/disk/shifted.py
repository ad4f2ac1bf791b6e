"""The rest of a file as a file of its own, for those who write from its beginning and seek in it."""

import io
import os
from typing import BinaryIO, cast


class _Shifted(io.RawIOBase):
    """A file without its first bytes."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset + (self._start if whence == os.SEEK_SET else 0), whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def write(self, data: object) -> int:
        return self._file.write(cast(bytes, data))

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(self._file.tell() if size is None else self._start + size) - self._start

    def flush(self) -> None:
        self._file.flush()


def shifted(file: BinaryIO, start: int) -> BinaryIO:
    """Return a file whose first byte is the one at `start` of another, at its beginning."""
    file.seek(start)
    return cast(BinaryIO, _Shifted(file, start))
