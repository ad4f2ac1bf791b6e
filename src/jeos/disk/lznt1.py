"""LZNT1, the compression of NTFS's compressed files: chunks of 4 KiB, each with a header of two bytes.

    lznt1.decompress(packed, size=65536)

Source: Microsoft, [MS-XCA] section 2.5. A damaged stream raises InputError; no more than `size` bytes are ever made.
"""

from jeos.core.errors import InputError

CHUNK = 4096
_COMPRESSED = 0x8000  # of a chunk's header; its low twelve bits are the length of what follows, less one
_LENGTH = 0x0FFF
_HEADER = 2
_SHORTEST = 3  # bytes that a back reference copies at least


def decompress(packed: bytes, *, size: int) -> bytes:
    """Return `size` bytes: what the stream holds, and zeros where it ends before.

    Raises InputError where the stream contradicts itself.
    """
    out = bytearray()
    position = 0
    while len(out) < size and position + _HEADER <= len(packed):
        header = int.from_bytes(packed[position : position + _HEADER], "little")
        if header == 0:
            break
        start = position + _HEADER
        position = start + (header & _LENGTH) + 1
        if position > len(packed):
            raise InputError("a compressed file of NTFS is cut off in the middle of a chunk")
        out += _chunk(packed[start:position]) if header & _COMPRESSED else packed[start:position]
        if position + _HEADER <= len(packed) and len(out) % CHUNK:  # only the last chunk may stand for less
            out += bytes(-len(out) % CHUNK)
    return bytes(out[:size]) + bytes(max(0, size - len(out)))


def _chunk(packed: bytes) -> bytearray:
    """Return what one compressed chunk stands for: at most 4 KiB."""
    out = bytearray()
    position = 0
    end = len(packed)
    while position < end:
        flags = packed[position]
        position += 1
        for bit in range(8):
            if position >= end:
                break
            if not flags >> bit & 1:
                out.append(packed[position])
                position += 1
                continue
            token = int.from_bytes(packed[position : position + 2], "little")
            position += 2
            _copy(out, token)
        if len(out) > CHUNK:
            raise InputError("a compressed chunk of NTFS stands for more than 4096 bytes")
    return out


def _copy(out: bytearray, token: int) -> None:
    """Append what a back reference means: the further the chunk, the more of its bits are the distance."""
    if not out:
        raise InputError("a compressed file of NTFS refers to bytes before its start")
    bits = max(4, (len(out) - 1).bit_length())
    distance = (token >> (16 - bits)) + 1
    length = (token & ((1 << (16 - bits)) - 1)) + _SHORTEST
    if distance > len(out) or len(out) + length > CHUNK:
        raise InputError("a compressed file of NTFS refers to bytes outside of its chunk")
    start = len(out) - distance
    if distance >= length:
        out += out[start : start + length]
    else:
        pattern = bytes(out[start:])
        out += (pattern * (length // distance + 1))[:length]
