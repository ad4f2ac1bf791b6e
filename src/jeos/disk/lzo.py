"""Unpack LZO1X, which btrfs (and nothing else here) packs with.

    decompress(packed, limit=4096)

After the kernel's Documentation/staging/lzo.rst, which describes the stream: instructions that copy literals, or bytes
that were unpacked before, at a distance.
"""

from jeos.core.errors import InputError

_LONG_LITERAL = 18  # a first byte above 17 is a run of literals without an instruction before it
_END_DISTANCE = 16384  # what an instruction of the form 0001 adds; exactly this much ends the stream


def damaged() -> InputError:
    """Return the error for data that does not unpack."""
    return InputError("a block that is packed with LZO is damaged", hint="copy the disk again")


def decompress(packed: bytes, *, limit: int) -> bytes:
    """Return what a stream unpacks to, at most `limit` bytes. Raises InputError if it is damaged or longer."""
    try:
        return bytes(_unpack(packed, limit=limit))
    except IndexError as error:
        raise damaged() from error


def _unpack(packed: bytes, *, limit: int) -> bytearray:
    out = bytearray()
    at = 0
    literals = 0  # how many the last instruction copied: 0, 1 to 3, or 4 for more
    if packed[0] >= _LONG_LITERAL:
        count = packed[0] - 17
        _check(out, count, 1 + count, packed, limit=limit)
        out += packed[1 : 1 + count]
        at = 1 + count
        literals = min(count, 4)
    while True:
        code = packed[at]
        at += 1
        if code < 16 and not literals:  # a run of literals
            count, at = _length(packed, at, code, mask=15, base=3)
            _check(out, count, at + count, packed, limit=limit)
            out += packed[at : at + count]
            at += count
            literals = 4
            continue
        if code >= 64:
            length = (code >> 5) + 1
            distance = (packed[at] << 3) + ((code >> 2) & 7) + 1
            at += 1
            tail = code & 3
        elif code >= 32:
            length, at = _length(packed, at, code, mask=31, base=2)
            field = packed[at] | packed[at + 1] << 8
            at += 2
            distance, tail = (field >> 2) + 1, field & 3
        elif code >= 16:
            length, at = _length(packed, at, code, mask=7, base=2)
            field = packed[at] | packed[at + 1] << 8
            at += 2
            distance, tail = _END_DISTANCE + ((code & 8) << 11) + (field >> 2), field & 3
            if distance == _END_DISTANCE:
                return out
        else:  # a short copy, whose distance depends on the literals before it
            short = literals < 4
            distance = (packed[at] << 2) + (code >> 2) + (1 if short else 2049)
            length = 2 if short else 3
            at += 1
            tail = code & 3
        _copy(out, distance=distance, length=length, limit=limit)
        _check(out, tail, at + tail, packed, limit=limit)
        out += packed[at : at + tail]
        at += tail
        literals = tail


def _length(packed: bytes, at: int, code: int, *, mask: int, base: int) -> tuple[int, int]:
    """Return a length, which goes on in further bytes where its bits in the instruction are zeros."""
    length = code & mask
    if length:
        return length + base, at
    length = mask
    while packed[at] == 0:
        length += 255
        at += 1
    return length + packed[at] + base, at + 1


def _check(out: bytearray, count: int, end: int, packed: bytes, *, limit: int) -> None:
    if end > len(packed) or len(out) + count > limit:
        raise damaged()


def _copy(out: bytearray, *, distance: int, length: int, limit: int) -> None:
    start = len(out) - distance
    if start < 0 or len(out) + length > limit:
        raise damaged()
    if distance >= length:
        out += out[start : start + length]
        return
    pattern = out[start:]
    out += (pattern * (length // distance + 1))[:length]
