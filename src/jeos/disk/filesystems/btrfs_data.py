"""The bytes of btrfs files: extents, inline or elsewhere, packed with zlib, LZO or zstd or not.

After the kernel's fs/btrfs (btrfs_file_extent_item, compression.c, lzo.c).
"""

import struct
import zlib

from jeos.core.errors import InputError
from jeos.disk import lzo
from jeos.disk.filesystems.btrfs_trees import Pointer, Trees, damaged

EXTENT_DATA = 108

_HEAD = struct.Struct("<QQBBHB")
_PLACE = struct.Struct("<QQQQ")
_INLINE, _REGULAR, _PREALLOCATED = 0, 1, 2
_PLAIN, _ZLIB, _LZO, _ZSTD = range(4)
_PACKED_MOST = 1 << 20  # bytes of an extent that is packed, before or after; the kernel makes 128 KiB at most
_SEGMENT_HEADER = 4
_WINDOW = 1 << 20  # bytes that zstd may look back; the kernel takes 128 KiB


def read(trees: Trees, root: Pointer, number: int, *, offset: int, length: int) -> bytes:
    """Return bytes of a file by its inode's number; holes are zeros."""
    out = bytearray(length)
    end = offset + length
    low, high = (number, EXTENT_DATA, offset), (number, EXTENT_DATA, end)
    for key, item in trees.items(root, low=low, high=high, floor=True):
        if key[:2] != (number, EXTENT_DATA):
            continue  # what stands before the file's first extent
        start = key[2]
        size = extent_size(item)
        first, last = max(start, offset), min(start + size, end)
        if first < last:
            content = _extent(trees, item, start=first - start, length=last - first)
            out[first - offset : first - offset + len(content)] = content
    return bytes(out)


def extent_size(item: bytes) -> int:
    """Return how many bytes of its file an extent is."""
    if len(item) < _HEAD.size:
        raise damaged("an extent is cut off")
    _, unpacked, _, _, _, kind = _HEAD.unpack_from(item)
    if kind == _INLINE:
        return int(unpacked)
    if kind not in (_REGULAR, _PREALLOCATED) or len(item) < _HEAD.size + _PLACE.size:
        raise damaged(f"an extent is of type {kind}")
    return int(_PLACE.unpack_from(item, _HEAD.size)[3])


def _extent(trees: Trees, item: bytes, *, start: int, length: int) -> bytes:
    """Return bytes of an extent; nothing for one that is a hole, or not yet written."""
    _, unpacked, packing, encryption, encoding, kind = _HEAD.unpack_from(item)
    if encryption or encoding or packing > _ZSTD:
        raise InputError(f"an extent of btrfs is packed with method {packing}, which jeos does not read")
    sector = trees.superblock.sector
    if kind == _INLINE:
        content = item[_HEAD.size :]
        if packing:
            content = unpack(content, packing, size=unpacked, sector=sector)
        return content[start : start + length]
    place, stored, skipped, _ = _PLACE.unpack_from(item, _HEAD.size)
    if not place or kind == _PREALLOCATED:
        return b""
    if not packing:
        return trees.read(place + skipped + start, length)
    if stored > _PACKED_MOST:
        raise damaged(f"an extent has {stored} packed bytes")
    content = unpack(trees.read(place, stored), packing, size=unpacked, sector=sector)
    return content[skipped + start : skipped + start + length]


def unpack(packed: bytes, packing: int, *, size: int, sector: int) -> bytes:
    """Return what an extent unpacks to: at most `size` bytes. Raises InputError if it is damaged."""
    if size > _PACKED_MOST:
        raise damaged(f"an extent unpacks to {size} bytes")
    if packing == _ZLIB:
        try:
            return zlib.decompressobj().decompress(packed, size)
        except zlib.error as error:
            raise damaged("an extent that is packed with zlib does not unpack") from error
    if packing == _ZSTD:
        return _zstd(packed, size=size)
    return _lzo(packed, size=size, sector=sector)


def _zstd(packed: bytes, *, size: int) -> bytes:
    """Return what one frame unpacks to, which may be less; what follows it in its last sector is nothing."""
    import zstandard  # slow to load, and few file systems are packed

    try:
        with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(packed) as reader:
            return reader.read(size)
    except zstandard.ZstdError as error:
        raise damaged("an extent that is packed with zstd does not unpack") from error


def _lzo(packed: bytes, *, size: int, sector: int) -> bytes:
    """Return what segments of up to a sector unpack to; the length of none crosses the end of a sector."""
    end = min(int.from_bytes(packed[:_SEGMENT_HEADER], "little"), len(packed))
    position = _SEGMENT_HEADER
    out = bytearray()
    while position < end and len(out) < size:
        if sector - position % sector < _SEGMENT_HEADER:
            position += sector - position % sector
        length = int.from_bytes(packed[position : position + _SEGMENT_HEADER], "little")
        position += _SEGMENT_HEADER
        if not length or position + length > len(packed):
            raise damaged("an extent that is packed with LZO does not unpack")
        out += lzo.decompress(packed[position : position + length], limit=max(sector, 4096))
        position += length
    return bytes(out[:size])
