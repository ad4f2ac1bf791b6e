"""Bytes that are mostly zeros: how many zeros, how many others, and these others, each for themselves.

encode(b"\\0\\0\\0ab\\0c\\0")  →  ([3, 1], [2, 1], b"abc")          zeros at the end are not told

Where code has moved, single bytes of each address change. What changes and how far apart the changes are then compress
far better apart than together.
"""

import re
from collections.abc import Callable, Iterator
from itertools import accumulate, islice

from jeos.core.errors import InputError

LONGEST = 1 << 20  # of a run; a longer one is several
RUNS = 2048  # that are put together at once
MOST_BYTES = 4 << 20  # that are put together at once, unless one run alone has as many

_RUN = re.compile(rb"[^\0]+")
_ZEROS = bytes(4096)


def encode(data: bytes) -> tuple[list[int], list[int], bytes]:
    """Return for each run how many zeros come before it and how many bytes it has, and all bytes that are not zero."""
    gaps: list[int] = []
    lengths: list[int] = []
    done = 0
    for match in _RUN.finditer(data):
        gap, length = match.start() - done, match.end() - match.start()
        done = match.end()
        while gap > LONGEST:
            gaps.append(LONGEST)
            lengths.append(0)
            gap -= LONGEST
        while length > LONGEST:
            gaps.append(gap)
            lengths.append(LONGEST)
            gap, length = 0, length - LONGEST
        gaps.append(gap)
        lengths.append(length)
    return gaps, lengths, data.translate(None, b"\0")


class Decoder:
    """Gives the bytes back in order, in pieces of any length and in bounded memory."""

    def __init__(self, gaps: Iterator[int], lengths: Iterator[int], read: Callable[[int], bytes]) -> None:
        """Put runs together; `read` returns exactly so many of the bytes that are not zero."""
        self._gaps, self._lengths, self._read = gaps, lengths, read
        self._waiting: list[tuple[int, int]] = []
        self._ready = b""

    def read(self, length: int) -> bytes:
        """Return the next bytes; there is no end of zeros. Raises InputError if a run is too long."""
        parts = []
        while length:
            if not self._ready and not self._fill():
                parts.append(bytes(length))
                break
            part = self._ready[:length]
            self._ready = self._ready[len(part) :]
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def _fill(self) -> bool:
        """Put the next runs together; False at their end."""
        if not self._waiting:
            self._waiting = list(zip(islice(self._gaps, RUNS), islice(self._lengths, RUNS), strict=False))
            if not self._waiting:
                return False
        runs = self._waiting
        while True:
            gaps, lengths = zip(*runs, strict=True)
            if max(gaps) > LONGEST or max(lengths) > LONGEST:
                raise InputError("a run of bytes is too long", hint="the patch is damaged: fetch it again")
            if sum(gaps) + sum(lengths) <= MOST_BYTES or len(runs) == 1:
                break
            runs = runs[: len(runs) // 2]
        self._waiting = self._waiting[len(runs) :]
        others = self._read(sum(lengths))
        ends = list(accumulate(lengths))
        zeros = _ZEROS if max(gaps) <= len(_ZEROS) else bytes(max(gaps))
        pairs = zip(gaps, ends, lengths, strict=True)
        self._ready = b"".join([part for gap, end, own in pairs for part in (zeros[:gap], others[end - own : end])])
        return True
