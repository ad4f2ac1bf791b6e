"""Decompression of one unit of a disk (a cluster, a grain) into no more bytes than the unit has.

libdeflate unpacks most units in one call; what it does not take (a unit that is shorter than it should be, with
bytes after its end) goes through zlib, which tells more and costs more.
"""

import zlib

import zstandard
from deflate import DeflateError, deflate_decompress, zlib_decompress

from jeos.disk.formats.mapped import damaged

RAW_WINDOW, ZLIB_WINDOW = -15, 15  # zlib's wbits: without and with a header
LARGEST_WINDOW = 8 << 20  # bytes that a zstd frame may want to look back: more than any cluster has
DEFLATE_RATIO, ZSTD_RATIO = 1032, 1 << 16  # the best that deflate can do, and more than zstd does to a cluster


def inflate_zlib(packed: bytes | memoryview, *, size: int, label: str) -> bytes | bytearray:
    """Return what a zlib stream unpacks to: `size` bytes, or fewer. Raises InputError if it is damaged or longer."""
    try:
        return zlib_decompress(packed, size)
    except DeflateError:
        return _inflate_slowly(packed, size=size, window=ZLIB_WINDOW, label=label)


def inflate_raw(packed: bytes | memoryview, *, size: int, label: str) -> bytes | bytearray:
    """Return what a deflate stream without a header unpacks to. Raises InputError if it is damaged or longer."""
    try:
        return deflate_decompress(packed, size)
    except DeflateError:
        return _inflate_slowly(packed, size=size, window=RAW_WINDOW, label=label)


def inflate_zstd(packed: bytes | memoryview, *, size: int, label: str) -> bytes:
    """Return the first `size` bytes that a zstd frame unpacks to. Raises InputError if it is damaged."""
    try:
        with zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(packed) as reader:
            return reader.read(size)
    except zstandard.ZstdError as error:
        raise damaged(label, f"compressed data does not unpack: {error}") from None


def _inflate_slowly(packed: bytes | memoryview, *, size: int, window: int, label: str) -> bytes:
    stream = zlib.decompressobj(window)
    try:
        unpacked = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise damaged(label, f"compressed data does not unpack: {error}") from None
    if len(unpacked) > size:
        raise damaged(label, f"compressed data unpacks to more than its {size} bytes")
    if not stream.eof:
        raise damaged(label, "compressed data is cut off")
    return unpacked
