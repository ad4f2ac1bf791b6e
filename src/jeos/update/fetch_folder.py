"""A channel in a folder: of a mounted disk, a USB stick, or what was copied to the guest."""

import os
import stat

from jeos.trust.client import Missing
from jeos.update.fetch import PIECE, FetchError


class FolderChannel:
    """The channel in `folder`; only plain files below it are read, and no link leads out of it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def get(self, path: str, *, limit: int) -> bytes:
        """Return a whole file of at most `limit` bytes."""
        descriptor, size = self._open(path)
        with os.fdopen(descriptor, "rb") as file:
            if size > limit:
                raise FetchError(f"{path} has {size} bytes, more than {limit}")
            return file.read(limit)

    def read(self, path: str, *, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes of a file from `offset` on."""
        descriptor, size = self._open(path)
        with os.fdopen(descriptor, "rb") as file:
            file.seek(offset)
            data = file.read(length)
        if len(data) != length:
            raise FetchError(f"{path} has only {size} bytes, not the {offset + length} that were wanted")
        return data

    def save(self, path: str, descriptor: int, *, length: int) -> None:
        """Write a file of `length` bytes to a descriptor that may hold its beginning already."""
        source, size = self._open(path)
        try:
            if size != length:
                raise FetchError(f"{path} has {size} bytes, not {length}")
            offset = os.lseek(descriptor, 0, os.SEEK_END)
            while offset < length:
                piece = os.pread(source, PIECE, offset)
                if not piece:
                    raise FetchError(f"{path} ended after {offset} bytes")
                offset += os.write(descriptor, piece)
        finally:
            os.close(source)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _open(self, path: str) -> tuple[int, int]:
        """Return a descriptor of a file, and its size."""
        place = os.path.realpath(f"{self._folder}/{path}")
        if os.path.commonpath([place, os.path.realpath(self._folder)]) != os.path.realpath(self._folder):
            raise FetchError(f"{path} leads out of {self._folder}")
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            raise Missing(f"there is no {path} in {self._folder}") from None
        except OSError as error:
            raise FetchError(f"{self._folder}/{path} cannot be read: {error.strerror}") from None
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise FetchError(f"{self._folder}/{path} is no plain file")
        return descriptor, state.st_size
