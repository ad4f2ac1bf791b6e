"""The data of a disk, worked on by all processors and handed on in the order of the disk.

    for start, packed in ordered(disk, work, unit=65536):
        file.write(packed)

Reading and packing leave Python's lock, so threads are enough. Memory stays at a few pieces for each processor.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from typing import TypeVar

from jeos.core import memory
from jeos.core.ahead import in_order
from jeos.disk.blocks import PIECE, Blocks

AHEAD = 4  # pieces in work or waiting, for each processor
AT_ONCE = 256 << 10  # bytes of a piece: what fits into a processor's own cache, with what becomes of it
KEPT = (
    16 << 20
)  # bytes of buffers that are reused; without, a sixth of the time of reading a VMDK goes into page faults
_ZEROS = bytes(PIECE)

Result = TypeVar("Result")


class Effort(StrEnum):
    """How much work is put into making a file smaller."""

    FAST = "fast"
    USUAL = "usual"
    SMALL = "small"


def ordered(
    blocks: Blocks, work: Callable[[int, bytes], Result], *, unit: int, most: int = AT_ONCE
) -> Iterator[tuple[int, Result]]:
    """Yield the offset of each piece that is not zeros, and what `work` makes of the offset and the bytes.

    Pieces begin at multiples of `unit` and have at most `most` bytes, a multiple of `unit`; fewer where the disk ends.
    """

    def read_and_work(span: tuple[int, int]) -> tuple[int, Result] | None:
        start, end = span
        content = blocks.read(start, end - start)
        return None if is_zero(content) else (start, work(start, content))

    memory.keep_freed(KEPT)
    threads = len(os.sched_getaffinity(0))
    asked = spans(blocks, unit=unit, most=most)
    with closing(in_order(asked, read_and_work, threads=threads, most=AHEAD * threads)) as done:
        yield from (one for one in done if one is not None)


def spans(blocks: Blocks, *, unit: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield ranges that hold all the data of a disk: they begin at multiples of `unit` and do not overlap."""
    done = 0
    for start, end in blocks.data(0, blocks.size):
        position = max(done, start - start % unit)
        stop = min(blocks.size, -(-end // unit) * unit)
        while position < stop:
            last = min(stop, position - position % most + most)
            yield position, last
            position = last
        done = max(done, position)


def is_zero(content: bytes) -> bool:
    """Tell whether bytes are all zero; at most as many as `PIECE` are compared in one go."""
    if content and content[0]:  # nearly always, where there is data: the comparison below copies zeros
        return False
    if len(content) <= PIECE:
        return content == (_ZEROS if len(content) == PIECE else _ZEROS[: len(content)])
    return all(is_zero(content[at : at + PIECE]) for at in range(0, len(content), PIECE))
