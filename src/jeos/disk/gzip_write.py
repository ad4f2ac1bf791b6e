"""Write one gzip file on all processors (RFC 1952).

Each piece is deflated by itself and ends on a byte ("full flush", RFC 1951), so that pieces are made at the same time
and joined; readers see one ordinary member. Zeros, of which disks have many, are deflated once.
"""

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import BinaryIO

from isal import isal_zlib

from jeos.core.ahead import in_order

HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"  # deflate, no name, no time, on any system
LAST = b"\x03\x00"  # an empty last block
RAW = -15  # deflate without zlib's header, with a window of 32 KiB

Deflate = Callable[[bytes], bytes]


def write(pieces: Iterable[bytes], file: BinaryIO, *, level: int) -> None:
    """Write pieces, which should have about 1 MiB each, as one gzip file; `level` is isal's, from 0 to 3."""
    threads = os.cpu_count() or 1
    zeros: dict[int, bytes] = {}
    checksum, size = 0, 0
    file.write(HEADER)

    def asked() -> Iterator[bytes]:
        nonlocal checksum, size
        for piece in pieces:
            checksum = isal_zlib.crc32(piece, checksum)
            size += len(piece)
            yield piece

    packed = in_order(asked(), lambda piece: _deflated(piece, zeros, level=level), threads=threads, most=2 * threads)
    with closing(packed):
        for deflated in packed:
            file.write(deflated)
    file.write(LAST + struct.pack("<II", checksum, size & 0xFFFFFFFF))


def _deflated(piece: bytes, zeros: dict[int, bytes], *, level: int) -> bytes:
    """Return a piece deflated; `zeros` keeps what zeros of a length become."""
    empty = piece.count(0) == len(piece)
    if empty and len(piece) in zeros:
        return zeros[len(piece)]
    packer = isal_zlib.compressobj(level, isal_zlib.DEFLATED, RAW)
    packed = packer.compress(piece) + packer.flush(isal_zlib.Z_FULL_FLUSH)
    if empty:
        zeros[len(piece)] = packed
    return packed
