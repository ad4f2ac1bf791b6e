"""Bytes that are decompressed as they are read, in bounded memory: a small file may hold a very large one.

    stream = Stream(file, size=4096, suffix=".xz")
    stream.read(512)

Whatever the file claims, no more than about 32 MiB of it are in memory, and what the decompressor itself takes.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from jeos.core.errors import InputError

READ_BYTES = 1 << 18
UNPACKED_BYTES = 1 << 20  # how much is decompressed at a time
MEMORY = 512 << 20  # bytes that xz may take for itself: its strongest preset takes 65 MiB, others may choose more
ZSTD_READ_BYTES = 1 << 10  # zstd knows no limit of its output: four bytes may stand for a block of 128 KiB

_HINT = "download it again; if it is the same then, its maker must build it anew"


class ArchiveError(InputError):
    """A package that is damaged or wants to write where it must not."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint=_HINT)


class _Decompressor(Protocol):
    """One compressed stream: the interface of the standard library's `lzma` and `bz2`."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._full

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._full = bool(self._inner.unconsumed_tail) or len(found) == max_length
        return found


class _Zstd:
    """zstd's decompressor with the interface of the others; it is fed little at a time instead of limited."""

    def __init__(self) -> None:
        import zstandard  # few packages of Debian need it

        self._inner = zstandard.ZstdDecompressor().decompressobj()
        self._error = zstandard.ZstdError
        self._waiting = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + bytes(self._waiting)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        waiting = memoryview(data) if data else self._waiting
        self._waiting = waiting[ZSTD_READ_BYTES:]
        try:
            return self._inner.decompress(waiting[:ZSTD_READ_BYTES])
        except self._error as error:
            raise ValueError(str(error)) from None


_NEW: dict[str, Callable[[], _Decompressor] | None] = {
    "": None,
    ".xz": lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MEMORY),
    ".lzma": lambda: lzma.LZMADecompressor(format=lzma.FORMAT_ALONE, memlimit=MEMORY),
    ".gz": _Gzip,
    ".bz2": bz2.BZ2Decompressor,
    ".zst": _Zstd,
}
SUFFIXES = tuple(_NEW)  # of the names of what can be read here


class Stream:
    """A part of a file, decompressed as its name's suffix says."""

    def __init__(self, source: BinaryIO, *, size: int, suffix: str) -> None:
        """Read `size` bytes of a file from where it stands; `suffix` is one of SUFFIXES."""
        self._source, self._left, self._new = source, size, _NEW[suffix]
        self._decompressor = self._new() if self._new else None
        self._fresh = True  # whether the decompressor has had nothing yet
        self._buffer = memoryview(b"")

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield exactly `size` bytes in pieces; raise ArchiveError if there are fewer."""
        while size:
            if not self._buffer and not self._fill():
                raise ArchiveError("the package ends too early")
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes; raise ArchiveError if there are fewer."""
        if len(self._buffer) >= size:
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            return bytes(piece)
        return b"".join(self.pieces(size))

    def skip(self, size: int) -> None:
        """Pass over exactly `size` bytes."""
        for _ in self.pieces(size):
            pass

    def drain(self) -> None:
        """Read to the end, so that a damaged end is noticed."""
        while self._fill():
            self._buffer = memoryview(b"")

    def _fill(self) -> bool:
        """Put more bytes into the empty buffer; tell whether there are any."""
        while not self._buffer:
            more = self._raw() or None if self._decompressor is None else self._decompressed(self._decompressor)
            if more is None:
                return False
            self._buffer = memoryview(more)
        return True

    def _raw(self) -> bytes:
        """Return the next bytes as they are in the file, none at its end."""
        raw = self._source.read(min(READ_BYTES, self._left))
        if not raw and self._left:
            raise ArchiveError("the package ends too early")
        self._left -= len(raw)
        return raw

    def _decompressed(self, current: _Decompressor) -> bytes | None:
        """Return the next decompressed bytes, which may be none yet; None at the end."""
        raw = b""
        if current.eof:
            raw = current.unused_data or self._raw()
            if not raw or self._new is None:
                return None
            current = self._decompressor = self._new()  # streams may follow one another
        elif current.needs_input:
            raw = self._raw()
            if not raw and self._fresh:
                return None
            if not raw:
                raise ArchiveError("the package ends too early")
        self._fresh = False
        try:
            return current.decompress(raw, UNPACKED_BYTES)
        except (lzma.LZMAError, zlib.error, OSError, ValueError) as error:
            raise ArchiveError(f"what the package holds cannot be decompressed: {error}") from None
