"""Where a file's bytes are on its disk, as runs; and the few blocks of metadata that are read again and again.

read(blocks, runs, offset=0, length=8192)      # what no run covers is zeros
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks


class Run(NamedTuple):
    """Bytes of a file that lie together: `start` within the file, `length`, and `place` on the disk."""

    start: int
    length: int
    place: int


def read(blocks: Blocks, runs: Iterable[Run], *, offset: int, length: int) -> bytes:
    """Return `length` bytes of a file at `offset`; runs come in order, and holes between them are zeros."""
    parts: list[bytes] = []
    position, end = offset, offset + length
    for start, size, place in runs:
        if start + size <= position:
            continue
        if start >= end:
            break
        if start > position:
            parts.append(bytes(start - position))
            position = start
        until = min(end, start + size)
        parts.append(blocks.read(place + position - start, until - position))
        position = until
    if position < end:
        parts.append(bytes(end - position))
    return parts[0] if len(parts) == 1 else b"".join(parts)


class Metadata:
    """Reads units of metadata by their number, and keeps the last ones that were asked for."""

    def __init__(self, blocks: Blocks, *, unit: int, kept: int = 256) -> None:
        """Read units of `unit` bytes; `kept` of them stay in memory."""
        self.unit = unit
        self._blocks = blocks
        self._kept = kept
        self._found: dict[int, bytes] = {}

    def __call__(self, number: int) -> bytes:
        """Return a unit. Raises InputError where it is not all on the disk."""
        found = self._found.pop(number, None)
        if found is None:
            start = number * self.unit
            if number < 0 or start + self.unit > self._blocks.size:
                raise InputError(f"block {number} of {self.unit} bytes is behind the end of the file system")
            found = self._blocks.read(start, self.unit)
            if len(self._found) >= self._kept:
                del self._found[next(iter(self._found))]
        self._found[number] = found
        return found

    def read(self, position: int, length: int) -> bytes:
        """Return bytes at a place, from as many units as they lie in."""
        number, within = divmod(position, self.unit)
        found = self(number)[within : within + length]
        while len(found) < length:
            number += 1
            found += self(number)[: length - len(found)]
        return found


def damage(kind: str, *, tool: str) -> Callable[[str], InputError]:
    """Return what makes errors for a kind of file system that contradicts itself."""

    def damaged(what: str) -> InputError:
        return InputError(f"the {kind} file system is damaged: {what}", hint=f"`{tool}` may tell more, or repair it")

    return damaged
