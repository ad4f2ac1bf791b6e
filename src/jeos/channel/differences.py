"""Differences in the form of bsdiff 4: what to copy from the old content with which bytes added, what is new.

    piece = difference(old, new)
    piece.copies, piece.inserts, piece.seeks, piece.sums, piece.extra

After Colin Percival's "Naive differences of executable code" (2003). All suffixes of the old content are sorted, which
takes long and much memory when there are many, and for ever where one byte is repeated. So such runs are left out, and
what is large is cut, each part being compared with the old content around the same place.
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import bsdiff4.core  # type: ignore[import-untyped]

SEGMENT = 2 << 20  # bytes of the new content that are compared at once
MARGIN = 256 << 10  # bytes of the old content before and after the same place that are looked at too
RUN = 512  # bytes from which on a run of one byte is left out of the comparison
_FILLERS = (b"\x00", b"\xcc", b"\x90", b"\xff")  # what linkers fill with
_SIGN = 1 << 63


@dataclass(frozen=True, slots=True)
class Difference:
    """How one content becomes another: for each step, copy so many bytes with `sums` added, insert so many, seek."""

    copies: tuple[int, ...]
    inserts: tuple[int, ...]
    seeks: tuple[int, ...]
    sums: bytes
    extra: bytes


@dataclass(slots=True)
class _Steps:
    """Steps as they are found; `place` is where in the old content the reader stands."""

    copies: list[int] = field(default_factory=list)
    inserts: list[int] = field(default_factory=list)
    seeks: list[int] = field(default_factory=list)
    sums: list[bytes] = field(default_factory=list)
    extra: list[bytes] = field(default_factory=list)
    place: int = 0

    def copy(self, start: int, length: int) -> None:
        """Copy from a place of the old content: the step before seeks it."""
        if self.seeks:
            self.seeks[-1] = start - self.place
        elif start:
            self._step(0, seek=start)
        self._step(length, seek=0)
        self.place = start + length

    def insert(self, data: bytes) -> None:
        """Insert new bytes after the last copy."""
        if not self.inserts:
            self._step(0, seek=0)
        self.inserts[-1] += len(data)
        self.extra.append(data)

    def _step(self, copy: int, *, seek: int) -> None:
        self.copies.append(copy)
        self.inserts.append(0)
        self.seeks.append(seek)


class _Dense:
    """A content without its long runs of one byte."""

    def __init__(self, data: bytes) -> None:
        self.whole = data
        self.starts: list[int] = []  # of each part, in the content
        self.dense: list[int] = []  # of each part, in `data`
        parts, end, length = [], 0, 0
        for stop, behind in (*_runs(data), (len(data), len(data))):
            if stop > end:
                self.starts.append(end)
                self.dense.append(length)
                parts.append(data[end:stop])
                length += stop - end
            end = behind
        self.data = b"".join(parts)

    def ranges(self, start: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield where in the content a range of `data` is, part by part: start and length."""
        while length:
            number = bisect_right(self.dense, start) - 1
            end = self.dense[number + 1] if number + 1 < len(self.dense) else len(self.data)
            part = min(length, end - start)
            yield self.starts[number] + start - self.dense[number], part
            start, length = start + part, length - part


def _runs(data: bytes) -> list[tuple[int, int]]:
    """Return where the long runs of fillers begin and end, in order; searching for each is faster than for any."""
    found = []
    for filler in _FILLERS:
        run, rest = filler * RUN, re.compile(re.escape(filler) + b"*", re.DOTALL)
        start = data.find(run)
        while start >= 0:
            match = rest.match(data, start)
            end = match.end() if match else start + RUN
            found.append((start, end))
            start = data.find(run, end)
    return sorted(found)


def difference(old: bytes, new: bytes) -> Difference:
    """Return what makes `new` of `old`."""
    steps, before, after = _Steps(), _Dense(old), _Dense(new)
    done = 0  # bytes of the new content
    for start in range(0, len(after.data), SEGMENT):
        part = after.data[start : start + SEGMENT]
        low = max(0, start - MARGIN) if len(after.data) > SEGMENT else 0
        high = start + SEGMENT + MARGIN if len(after.data) > SEGMENT else len(before.data)
        done = _compare(steps, before, after, low=low, high=high, start=start, part=part, done=done)
    if done < len(new):
        steps.insert(new[done:])
    return Difference(
        tuple(steps.copies), tuple(steps.inserts), tuple(steps.seeks), b"".join(steps.sums), b"".join(steps.extra)
    )


def _compare(
    steps: _Steps, before: _Dense, after: _Dense, *, low: int, high: int, start: int, part: bytes, done: int
) -> int:
    """Add the steps for one part of the new content, and return where in the new content they end."""
    packed, sums, extra = bsdiff4.core.diff(before.data[low:high], part)
    numbers = struct.unpack(f"<{len(packed) // 8}Q", packed)
    place, at_sums, at_extra, dense = low, 0, 0, start
    for copy, insert, seek in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        done = _copy(steps, before, after, place=place, dense=dense, length=copy, done=done)
        steps.sums.append(sums[at_sums : at_sums + copy])
        dense, at_sums = dense + copy, at_sums + copy
        for where, length in after.ranges(dense, insert):
            if where > done:
                steps.insert(after.whole[done:where])
            steps.insert(extra[at_extra : at_extra + length])
            at_extra, done = at_extra + length, where + length
        dense += insert
        place += copy + (_SIGN - seek if seek & _SIGN else seek)
    return done


def _copy(steps: _Steps, before: _Dense, after: _Dense, *, place: int, dense: int, length: int, done: int) -> int:
    """Copy a range of the old content; it is cut wherever one of the two contents has a run that was left out."""
    for where, one in after.ranges(dense, length):
        if where > done:
            steps.insert(after.whole[done:where])
        for source, part in before.ranges(place, one):
            steps.copy(source, part)
        place, done = place + one, where + one
    return done
