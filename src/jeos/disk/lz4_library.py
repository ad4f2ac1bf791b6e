"""LZ4's legacy frames through the system's liblz4.so.1: how Debian 12 packs its kernel, bit for bit.

    for packed in pack(blocks): …              # a magic number, then each block with its length in front
    for block in unpack(packed): …

The legacy frame is described in LZ4's `lz4_Frame_format.md` ("Legacy frame"): blocks of 8 MiB, each packed by itself;
`lz4 -l -9`, which the kernel's build uses, packs them with the library's HC level 9.
"""

import ctypes
from collections.abc import Iterable, Iterator
from functools import cache

from jeos.core.errors import HostError, InputError

LIBRARY = "liblz4.so.1"
MAGIC = b"\x02\x21\x4c\x18"
BLOCK = 8 << 20  # bytes of every block but the last, unpacked
LEVEL = 9
_LENGTH_BYTES = 4


@cache
def _library(path: str) -> ctypes.CDLL:
    try:
        found = ctypes.CDLL(path)
    except OSError as error:
        raise HostError(f"{path} cannot be loaded: {error}", hint="install liblz4-1") from error
    pointer, number = ctypes.c_void_p, ctypes.c_int
    found.LZ4_compress_HC.argtypes = (pointer, pointer, number, number, number)
    found.LZ4_decompress_safe.argtypes = (pointer, pointer, number, number)
    found.LZ4_compressBound.argtypes = (number,)
    for name in ("LZ4_compress_HC", "LZ4_decompress_safe", "LZ4_compressBound"):
        getattr(found, name).restype = number
    return found


def pack(blocks: Iterable[bytes], *, path: str = LIBRARY) -> Iterator[bytes]:
    """Yield a legacy frame of these blocks, each of 8 MiB but the last; `path` names another liblz4 than the system's.

    Raises HostError if there is no liblz4.
    """
    library = _library(path)
    yield MAGIC
    room = library.LZ4_compressBound(BLOCK)
    out = ctypes.create_string_buffer(room)
    for block in blocks:
        if len(block) > BLOCK:
            raise InputError(f"a block of {len(block)} bytes is too long for LZ4's legacy frame")
        length = library.LZ4_compress_HC(block, out, len(block), room, LEVEL)
        yield length.to_bytes(_LENGTH_BYTES, "little")
        yield ctypes.string_at(out, length)


def unpack(packed: bytes) -> Iterator[bytes]:
    """Yield the blocks of a legacy frame. Raises InputError if it is damaged, HostError if there is no liblz4."""
    if not packed.startswith(MAGIC):
        raise InputError(f"not a legacy frame of LZ4: it starts with {packed[:4].hex()}")
    library = _library(LIBRARY)
    out = ctypes.create_string_buffer(BLOCK)
    position = len(MAGIC)
    while position < len(packed):
        length = int.from_bytes(packed[position : position + _LENGTH_BYTES], "little")
        position += _LENGTH_BYTES
        block = packed[position : position + length]
        size = library.LZ4_decompress_safe(block, out, len(block), BLOCK) if len(block) == length else -1
        if size <= 0:
            raise InputError("a legacy frame of LZ4 is damaged", hint="copy it again")
        position += length
        yield ctypes.string_at(out, size)
