"""Tables of 32-bit numbers that rise slowly, written as the distance of each number from the one before.

A kernel has megabytes of them: where its functions begin, what to correct when it is loaded. Every number changes when
code before it grows by a byte; the distances stay. So differences between two kernels are made of the distances.

    dense = flatten(kernel, find(kernel))         # and restore(pieces, tables) is the way back

A table is a place in the content: offset and length in bytes, both multiples of four. Numbers are little-endian.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from operator import sub

from jeos.core.errors import InputError

Table = tuple[int, int]

WORD = 4
BLOCK = 2048  # bytes that are looked at together
LONGEST = 4 << 20  # bytes of a table; a longer one is two
MOST_TABLES = 1 << 14
NEAR = 1 << 15  # the distance below which numbers belong together
MOST_FAR = 0.04  # the share of distances in a block that may be larger
MOST_ALIKE = 0.5  # the share that may be zero: numbers that do not rise are no table
_MASK = 0xFFFFFFFF


def _words(data: bytes) -> "array[int]":
    words = array("I", data)
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _bytes(words: Iterable[int]) -> bytes:
    packed = array("I", words)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def find(data: bytes) -> list[Table]:
    """Return the tables of a content, in order."""
    tables: list[Table] = []
    for start in range(0, len(data) - BLOCK + 1, BLOCK):
        if _is_table(data[start : start + BLOCK]):
            if tables and sum(tables[-1]) == start and tables[-1][1] < LONGEST:
                tables[-1] = (tables[-1][0], tables[-1][1] + BLOCK)
            else:
                tables.append((start, BLOCK))
    return tables


def _is_table(block: bytes) -> bool:
    words = _words(block)
    if abs(words[-1] - words[0]) > NEAR * len(words) or len(set(words[::16])) < len(words) // 32:
        return False  # most blocks end here, before any distance is taken
    distances = list(map(sub, words[1:], words))
    far = sum(1 for distance in distances if not -NEAR < distance < NEAR)
    return far <= MOST_FAR * len(words) and distances.count(0) <= MOST_ALIKE * len(words)


def checked(tables: object, *, size: int) -> list[Table]:
    """Return tables that somebody else found in a content of `size` bytes. Raises InputError if they are none."""
    if not isinstance(tables, list) or len(tables) > MOST_TABLES:
        raise InputError("a list of tables is none, or too long")
    done, found = 0, []
    for table in tables:
        if not isinstance(table, list) or [type(number) for number in table] != [int, int]:
            raise InputError("a table is not two numbers")
        start, length = table
        if start < done or not 0 < length <= LONGEST or length % WORD or start + length > size:
            raise InputError(f"a table of {length} bytes at {start} does not fit into {size} bytes")
        done = start + length
        found.append((start, length))
    return found


def flatten(data: bytes, tables: Sequence[Table]) -> bytes:
    """Return a content with distances in place of the numbers in its tables."""
    parts: list[bytes] = []
    done = 0
    for start, length in tables:
        words = _words(data[start : start + length])
        distances = map(sub, words, chain((0,), words))
        parts += (data[done:start], _bytes(distance & _MASK for distance in distances))
        done = start + length
    return b"".join((*parts, data[done:]))


def restore(pieces: Iterable[bytes], tables: Sequence[Table]) -> Iterator[bytes]:
    """Yield the content whose distances come in pieces."""
    waiting = iter(tables)
    start, length = next(waiting, (sys.maxsize, 0))
    position, last = 0, 0
    rest = b""  # of a number that is cut by the end of a piece
    for piece in pieces:
        data = memoryview(rest + piece)
        rest = b""
        while data:
            if position < start:
                part = data[: start - position]
                yield bytes(part)
            else:
                part = data[: start + length - position]
                part = part[: len(part) // WORD * WORD]
                if not part:
                    rest = bytes(data)
                    break
                sums = list(islice(accumulate(_words(bytes(part)), initial=last), 1, None))
                last = sums[-1] & _MASK
                yield _bytes(number & _MASK for number in sums)
            position += len(part)
            data = data[len(part) :]
            if position == start + length:
                start, length = next(waiting, (sys.maxsize, 0))
                last = 0
    if rest:
        yield rest
