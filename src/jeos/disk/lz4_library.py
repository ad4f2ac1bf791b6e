"""LZ4's legacy frames through the system's liblz4.so.1: how Debian 12 packs its kernel, bit for bit.

    for packed in pack(blocks): …              # a magic number, then each block with its length in front
    for block in unpack(file.read, length=…): …

The legacy frame is described in LZ4's `lz4_Frame_format.md` ("Legacy frame"): blocks of 8 MiB, each packed by itself;
`lz4 -l -9`, which the kernel's build uses, packs them with the library's HC level 9.
"""

import ctypes
from collections.abc import Callable, Iterable, Iterator
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


def unpack(read: Callable[[int], bytes], *, length: int) -> Iterator[bytes]:
    """Yield the blocks of a legacy frame of `length` bytes, which `read` returns from its start on.

    Raises InputError if it is damaged, HostError if there is no liblz4.
    """
    library = _library(LIBRARY)
    magic = read(len(MAGIC))
    if magic != MAGIC:
        raise InputError(f"not a legacy frame of LZ4: it starts with {magic.hex()}")
    out = ctypes.create_string_buffer(BLOCK)
    left = length - len(MAGIC)
    room = library.LZ4_compressBound(BLOCK)
    while left > 0:
        packed = int.from_bytes(read(_LENGTH_BYTES), "little")
        left -= _LENGTH_BYTES + packed
        block = read(packed) if packed <= room and left >= 0 else b""
        size = library.LZ4_decompress_safe(block, out, len(block), BLOCK) if block and len(block) == packed else -1
        if size <= 0:
            raise InputError("a legacy frame of LZ4 is damaged", hint="copy it again")
        yield ctypes.string_at(out, size)
