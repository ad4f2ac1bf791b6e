"""Bytes that are mostly zeros: how many zeros, how many others, and these others, each for themselves.

encode(b"\\0\\0\\0ab\\0c\\0")  →  ([3, 1], [2, 1], b"abc")          zeros at the end are not told

Where code has moved, single bytes of each address change. What changes and how far apart the changes are then compress
far better apart than together.
"""

import re
from collections.abc import Callable, Iterator
from itertools import accumulate, chain, islice
from operator import sub

from jeos.core.errors import InputError

LONGEST = 1 << 20  # of a run; a longer one is several
RUNS = 2048  # that are put together at once
MOST_BYTES = 4 << 20  # that are put together at once, unless one run alone has as many

_RUN = re.compile(rb"[^\0]+")
_ZEROS = bytes(4096)


def encode(data: bytes) -> tuple[list[int], list[int], bytes]:
    """Return for each run how many zeros come before it and how many bytes it has, and all bytes that are not zero."""
    spans = [match.span() for match in _RUN.finditer(data)]
    if not spans:
        return [], [], b""
    starts, ends = zip(*spans, strict=True)
    gaps, lengths = list(map(sub, starts, (0, *ends))), list(map(sub, ends, starts))
    if max(gaps) > LONGEST or max(lengths) > LONGEST:
        gaps, lengths = _cut(gaps, lengths)
    return gaps, lengths, data.translate(None, b"\0")


def _cut(all_gaps: list[int], all_lengths: list[int]) -> tuple[list[int], list[int]]:
    """Return runs of which none is too long."""
    gaps: list[int] = []
    lengths: list[int] = []
    for gap, length in zip(all_gaps, all_lengths, strict=True):
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
    return gaps, lengths


class Decoder:
    """Gives the bytes back in order, in pieces of any length and in bounded memory."""

    def __init__(self, gaps: Iterator[int], lengths: Iterator[int], read: Callable[[int], bytes]) -> None:
        """Put runs together; `read` returns exactly so many of the bytes that are not zero."""
        self._gaps, self._lengths, self._read = gaps, lengths, read
        self._some_gaps: list[int] = []
        self._some_lengths: list[int] = []
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
        if not self._some_lengths:
            self._some_gaps = list(islice(self._gaps, RUNS))
            self._some_lengths = list(islice(self._lengths, len(self._some_gaps)))
            if not self._some_lengths:
                return False
            if max(self._some_gaps) > LONGEST or max(self._some_lengths) > LONGEST:
                raise InputError("a run of bytes is too long", hint="the patch is damaged: fetch it again")
        count = len(self._some_lengths)
        gaps, lengths = self._some_gaps[:count], self._some_lengths
        while sum(gaps) + sum(lengths) > MOST_BYTES and count > 1:
            count //= 2
            gaps, lengths = gaps[:count], lengths[:count]
        self._some_gaps, self._some_lengths = self._some_gaps[count:], self._some_lengths[count:]
        ends = list(accumulate(lengths, initial=0))
        others = self._read(ends[-1])
        most = max(gaps)
        zeros = _ZEROS if most <= len(_ZEROS) else bytes(most)
        # Without a step of Python's own for each run: there are a million of them in a large patch.
        runs = map(zeros.__getitem__, map(slice, gaps)), map(others.__getitem__, map(slice, ends, ends[1:]))
        self._ready = b"".join(chain.from_iterable(zip(*runs, strict=True)))
        return True
