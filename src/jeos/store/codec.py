"""How an object's bytes lie in a store: plain, or as one zstd frame where that is worth it.

The form is in the name (`….zst`), never guessed from the bytes: an object may well be a zstd file itself.
An object is named by the digest of its uncompressed bytes, so that how it is packed can change without its name.
Source of the frame's format: RFC 8878.
"""

import threading
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import zstandard

Bytes = bytes | bytearray | memoryview

LEVEL = 3  # 250 to 305 MB/s a core on 64 KiB chunks; level 1 saves no time worth its size
QUICKER = 2  # for very much at once: a sixth less time, and 14 bytes in a thousand more
CLOSER = 4  # for what is little and stays: a fifth slower, and a hundredth smaller
SMALLEST = 512  # bytes; below, nothing that compression saves would be seen on a disk
WORTH = 15 / 16  # a packed object must be at most this part of the plain one, or it stays plain

_contexts = threading.local()  # zstd contexts are costly to make and must not be shared by threads


class Form(Enum):
    """How an object lies in the store; the value is what its file name ends with."""

    PLAIN = ""
    ZSTD = ".zst"


class CodecError(ValueError):
    """The bytes are not an object packed in this form."""


def pack(data: Bytes, *, level: int = LEVEL) -> tuple[Form, Bytes]:
    """Choose the form for an object and return it with the bytes that zstd packed, at this level."""
    if len(data) < SMALLEST:
        return Form.PLAIN, data
    packed = _compressor(level).compress(data)
    if len(packed) > len(data) * WORTH:
        return Form.PLAIN, data
    return Form.ZSTD, packed


def unpack(data: Bytes, *, form: Form, limit: int) -> bytes:
    """Return the object that was packed in this form.

    Raises CodecError if it is not one, or would be longer than `limit` bytes.
    """
    if form is Form.PLAIN:
        if len(data) > limit:
            raise CodecError(f"{len(data)} bytes, more than {limit}")
        return bytes(data)
    import zstandard  # 20 ms that a command without a store need not pay

    try:
        # Our frames say their size, so that we know before we allocate; "unknown" is a huge number here.
        if zstandard.get_frame_parameters(data).content_size > limit:
            raise CodecError(f"the zstd frame says no size, or one beyond {limit} bytes")
        return _decompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CodecError(str(error)) from error


def content_size(start: bytes) -> int:
    """Return the size of the object that a zstd frame holds, from the frame's first bytes (18 are enough).

    Raises CodecError if they do not begin a frame that says its size.
    """
    import zstandard

    try:
        size = zstandard.frame_content_size(start)
    except zstandard.ZstdError as error:
        raise CodecError(str(error)) from error
    if size < 0:
        raise CodecError("the zstd frame says no size")
    return size


def _compressor(level: int) -> "zstandard.ZstdCompressor":
    import zstandard

    compressors: dict[int, zstandard.ZstdCompressor] | None = getattr(_contexts, "compressors", None)
    if compressors is None:
        compressors = _contexts.compressors = {}
    if level not in compressors:
        compressors[level] = zstandard.ZstdCompressor(level=level)
    return compressors[level]


def _decompressor() -> "zstandard.ZstdDecompressor":
    import zstandard

    decompressor: zstandard.ZstdDecompressor | None = getattr(_contexts, "decompressor", None)
    if decompressor is None:
        decompressor = _contexts.decompressor = zstandard.ZstdDecompressor()
    return decompressor
