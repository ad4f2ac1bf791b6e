"""Numbers as bytes: unsigned LEB128, seven bits a byte, the lowest first; signed ones are folded onto unsigned ones.

pack([3, 300])         →  b"\\x03\\xac\\x02"
unpack(b"\\x03\\xac\\x02")  →  [3, 300]
[fold(n) for n in (0, -1, 1, -2)]  →  [0, 1, 2, 3]
"""

from collections.abc import Iterable
from functools import lru_cache

from jeos.core.errors import InputError

MOST_BITS = 63


def pack(numbers: Iterable[int]) -> bytes:
    """Return numbers from 0 on as bytes."""
    return b"".join(map(_packed, numbers))


@lru_cache(maxsize=1 << 16)  # most numbers of a stream come again and again
def _packed(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def unpack(data: bytes) -> list[int]:
    """Return all numbers. Raises InputError if the last one is cut off, or one is 2^63 or more."""
    if data.isascii():  # most streams are, and then their bytes are the numbers
        return list(data)
    found: list[int] = []
    number = shift = 0
    for byte in data:
        if byte < 0x80:
            found.append(number | byte << shift)
            number = shift = 0
        else:
            number |= (byte & 0x7F) << shift
            shift += 7
            if shift >= MOST_BITS:
                raise InputError("a number has too many bytes", hint="the data is damaged: fetch it again")
    if shift:
        raise InputError("a number is cut off", hint="the data is damaged: fetch it again")
    return found


def fold(number: int) -> int:
    """Return a signed number as one from 0 on: 0, -1, 1, -2 … become 0, 1, 2, 3 …"""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unfold(number: int) -> int:
    """Return the signed number that `fold` folded."""
    return -(number >> 1) - 1 if number & 1 else number >> 1
