"""zstd through the system's own libzstd.so.1: no wheel is needed, so the same code runs in the guest.

    packed = compress(new, level=19, window_log=23, prefix=old)      # a patch: what is in `old` costs nothing
    new = decompress(packed, size=len(new), prefix=old)
    reader = Reader(source.read, size=…)                              # streams, with a window of at most 8 MiB

After zstd's manual (`zstd.h` of 1.4 and later). What comes from outside is only ever decompressed with the size that
it must have, and never into more.
"""

import ctypes
from collections.abc import Callable
from functools import cache

from jeos.core.errors import HostError, InputError

LIBRARY = "libzstd.so.1"
WINDOW_LOG = 23  # 8 MiB: what every stream of jeos may ask the reader to hold
PREFIX_WINDOW_LOG = 27  # decompression in one go has no window of its own: the output is the window

_LEVEL, _WINDOW_LOG, _LONG, _CONTENT_SIZE, _CHECKSUM = 100, 101, 160, 200, 201
_TUNED = (102, 103, 104, 107)  # hash log, chain log, search log, strategy
_WINDOW_LOG_MOST = 100  # ZSTD_dParameter
_INPUT_BYTES = 64 << 10

_pointer, _size, _int = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer, which have the same fields."""

    _fields_ = (("data", _pointer), ("size", _size), ("position", _size))


class Library:
    """One libzstd, the system's or another file's."""

    def __init__(self, path: str = LIBRARY) -> None:
        """Load the library. Raises HostError if it is not there."""
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise HostError(f"{path} cannot be loaded: {error}", hint="install libzstd1") from error
        buffer = ctypes.POINTER(_Buffer)
        self._declare("ZSTD_isError", ctypes.c_uint, _size)
        self._declare("ZSTD_getErrorName", ctypes.c_char_p, _size)
        self._declare("ZSTD_compressBound", _size, _size)
        for kind in ("CCtx", "DCtx"):
            self._declare(f"ZSTD_create{kind}", _pointer)
            self._declare(f"ZSTD_free{kind}", _size, _pointer)
            self._declare(f"ZSTD_{kind}_setParameter", _size, _pointer, _int, _int)
            self._declare(f"ZSTD_{kind}_refPrefix", _size, _pointer, _pointer, _size)
        self._declare("ZSTD_compress2", _size, _pointer, _pointer, _size, _pointer, _size)
        self._declare("ZSTD_decompressDCtx", _size, _pointer, _pointer, _size, _pointer, _size)
        self._declare("ZSTD_decompressStream", _size, _pointer, buffer, buffer)

    def _declare(self, name: str, result: type, *arguments: type) -> None:
        function = getattr(self._library, name)
        function.restype, function.argtypes = result, arguments

    def call(self, name: str, *arguments: object) -> int:
        """Call a function that returns a size or an error. Raises InputError for an error."""
        result: int = getattr(self._library, name)(*arguments)
        if self._library.ZSTD_isError(result):
            raise InputError(
                f"zstd: {self._library.ZSTD_getErrorName(result).decode()}", hint="the data is damaged: fetch it again"
            )
        return result

    def create(self, kind: str) -> int:
        """Return a new context, "CCtx" or "DCtx"."""
        made: int | None = getattr(self._library, f"ZSTD_create{kind}")()
        if not made:
            raise MemoryError
        return made

    def free(self, kind: str, context: int) -> None:
        """Free a context."""
        getattr(self._library, f"ZSTD_free{kind}")(context)


@cache
def library(path: str = LIBRARY) -> Library:
    """Return the library, loaded once."""
    return Library(path)


def compress(
    data: bytes,
    *,
    level: int = 19,
    window_log: int = WINDOW_LOG,
    prefix: bytes = b"",
    tuning: tuple[int, int, int, int] = (0, 0, 0, 0),
    long: bool = True,
    path: str = LIBRARY,
) -> bytes:
    """Return one frame with its content size and without a checksum; `prefix` is what the reader has already.

    `tuning` is hash log, chain log, search log and strategy, which the level chooses where they are 0. With `long`,
    matches are looked for in all of the window. `path` names another libzstd than the system's.
    """
    lib = library(path)
    context = lib.create("CCtx")
    tuned = zip(_TUNED, tuning, strict=True)
    plain = ((_LEVEL, level), (_WINDOW_LOG, window_log), (_CONTENT_SIZE, 1), (_CHECKSUM, 0))
    try:
        for parameter, value in (*plain, *tuned):
            lib.call("ZSTD_CCtx_setParameter", context, parameter, value)
        if long:
            lib.call("ZSTD_CCtx_setParameter", context, _LONG, 1)
        if prefix:
            lib.call("ZSTD_CCtx_refPrefix", context, prefix, len(prefix))
        room = lib.call("ZSTD_compressBound", len(data))
        out = ctypes.create_string_buffer(room)
        length = lib.call("ZSTD_compress2", context, out, room, data, len(data))
        return ctypes.string_at(out, length)
    finally:
        lib.free("CCtx", context)


def decompress(packed: bytes, *, size: int, prefix: bytes = b"") -> bytes:
    """Return the `size` bytes that frames unpack to. Raises InputError if they are damaged or give another number."""
    lib = library()
    context = lib.create("DCtx")
    try:
        lib.call("ZSTD_DCtx_setParameter", context, _WINDOW_LOG_MOST, PREFIX_WINDOW_LOG)
        if prefix:
            lib.call("ZSTD_DCtx_refPrefix", context, prefix, len(prefix))
        out = ctypes.create_string_buffer(size or 1)
        length = lib.call("ZSTD_decompressDCtx", context, out, size, packed, len(packed))
        if length != size:
            raise InputError(f"zstd: {length} bytes instead of {size}", hint="the data is damaged: fetch it again")
        return ctypes.string_at(out, length)
    finally:
        lib.free("DCtx", context)


class Reader:
    """A stream that is unpacked as it is read, in memory of its window (at most 8 MiB) and little more."""

    def __init__(self, read: Callable[[int], bytes], *, size: int) -> None:
        """Unpack what `read` returns (a number of bytes at most; b"" at the end) to exactly `size` bytes."""
        self._read = read
        self._lib = library()
        self._context = self._lib.create("DCtx")
        self._lib.call("ZSTD_DCtx_setParameter", self._context, _WINDOW_LOG_MOST, WINDOW_LOG)
        self.left = size
        self._packed = b""
        self._input = _Buffer(None, 0, 0)

    def close(self) -> None:
        """Free the window; the reader cannot be used afterwards."""
        if self._context:
            self._lib.free("DCtx", self._context)
            self._context = 0

    def read(self, length: int) -> bytes:
        """Return exactly `length` bytes. Raises InputError if the stream is damaged or has fewer left."""
        if not 0 <= length <= self.left:
            raise InputError(f"a stream has {self.left} bytes left, not {length}", hint="fetch it again")
        self.left -= length
        if not length:
            return b""
        out = ctypes.create_string_buffer(length)
        output = _Buffer(ctypes.addressof(out), length, 0)
        while output.position < length:
            if self._input.position == self._input.size:
                self._refill()
            before = output.position, self._input.position
            self._lib.call("ZSTD_decompressStream", self._context, ctypes.byref(output), ctypes.byref(self._input))
            if (output.position, self._input.position) == before:
                self._refill()  # only what is flushed may make no progress, and then more input must
        return out.raw

    def _refill(self) -> None:
        self._packed = self._read(_INPUT_BYTES)
        if not self._packed:
            raise InputError("a stream ends too early", hint="the data is damaged: fetch it again")
        address = ctypes.cast(ctypes.c_char_p(self._packed), _pointer).value
        self._input = _Buffer(address, len(self._packed), 0)
