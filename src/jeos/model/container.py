"""The file that patches and indexes are: a head that says what is in it, and streams.

    0    8   magic, b"jeospat1" or b"jeosind1"
    8    4   length of the head as it is here, bytes (integers little-endian)
    12   4   length of the head unpacked
    16   …   the head: one zstd frame of JSON, a table; its key "streams" has [packed, unpacked] lengths of each stream
    then     the streams, in this order, one zstd frame each

The file as a whole is known by its SHA-256, so it has no digest of its own. Nothing in it is believed all the same.
"""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jeos.core.errors import InputError

PATCH = b"jeospat1"
INDEX = b"jeosind1"
PREAMBLE = struct.Struct("<8sII")
MOST_HEAD = 1 << 20  # bytes, unpacked
MOST_STREAMS = 4096
LARGEST_STREAM = 1 << 36  # bytes, unpacked


@dataclass(frozen=True, slots=True)
class Stream:
    """Where one stream is in the file, `length` bytes from `offset`; it unpacks to `size` bytes."""

    offset: int
    length: int
    size: int


@dataclass(frozen=True, slots=True)
class Container:
    """What the head says, and where the streams are."""

    head: Mapping[str, Any]
    streams: tuple[Stream, ...]

    def stream(self, number: object) -> Stream:
        """Return a stream by the number that the head gives it. Raises InputError if there is none."""
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < len(self.streams):
            raise wrong(f"it has no stream {str(number)[:40]}")
        return self.streams[number]


def dump(
    magic: bytes,
    *,
    head: Mapping[str, object],
    streams: Sequence[tuple[bytes, int]],
    pack: Callable[[bytes], bytes],
) -> bytes:
    """Return the file; `streams` are packed already, each with its unpacked length; `pack` packs the head."""
    lengths = [[len(packed), size] for packed, size in streams]
    text = json.dumps({**head, "streams": lengths}, sort_keys=True, separators=(",", ":")).encode()
    packed_head = pack(text)
    return b"".join(
        (PREAMBLE.pack(magic, len(packed_head), len(text)), packed_head, *(packed for packed, _ in streams))
    )


def load(
    magic: bytes, *, length: int, read: Callable[[int, int], bytes], unpack: Callable[[bytes, int], bytes]
) -> Container:
    """Read the head of a file of `length` bytes.

    `read` returns bytes from an offset on, `unpack` what a frame unpacks to, given the length that it must have.
    Raises InputError for anything that is no such file.
    """
    preamble = read(0, PREAMBLE.size)
    if len(preamble) < PREAMBLE.size or not preamble.startswith(magic):
        raise wrong("it does not begin like one")
    _, packed, size = PREAMBLE.unpack(preamble)
    if packed > MOST_HEAD or size > MOST_HEAD:
        raise wrong(f"its head has {max(packed, size)} bytes")
    try:
        head = json.loads(unpack(read(PREAMBLE.size, packed), size))
        streams = _streams(head["streams"], start=PREAMBLE.size + packed)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise wrong(f"its head is {type(error).__name__}") from error
    end = streams[-1].offset + streams[-1].length if streams else PREAMBLE.size + packed
    if end != length:
        raise wrong(f"it has {length} bytes instead of {end}")
    return Container(head=head, streams=streams)


def _streams(lengths: list[list[int]], *, start: int) -> tuple[Stream, ...]:
    if len(lengths) > MOST_STREAMS:
        raise ValueError("too many streams")
    found = []
    for packed, size in lengths:
        for number in (packed, size):
            if type(number) is not int or not 0 <= number <= LARGEST_STREAM:
                raise ValueError("a stream's length")
        found.append(Stream(offset=start, length=packed, size=size))
        start += packed
    return tuple(found)


def wrong(reason: str) -> InputError:
    """Return the error for a patch or an index that is none."""
    return InputError(f"the patch or index is damaged: {reason}", hint="fetch it again, or publish it again")
