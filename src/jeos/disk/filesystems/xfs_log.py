"""Whether an XFS log waits to be replayed: it does not if the last thing in it says "unmounted".

After "XFS Algorithms & Data Structures", chapter "Journaling Log", and the kernel's xlog_find_tail. The log is a ring
of sectors; each begins with the number of the turn (cycle) in which it was written, so the last one is right before
the first that is of an earlier turn.
"""

import struct

from jeos.disk.blocks import Blocks

_SECTOR = 512
_RECORD = b"\xfe\xed\xba\xbe"
_HEADER = struct.Struct(">4sIIIQQIII")  # up to the number of operations; the cycles follow
_SEARCHED = 4096  # sectors before the end of the log in which its last record must begin (records have at most 256 KiB)
_UNMOUNT = 0x20
_CYCLES_BYTES = 32 << 10  # of data that one header sector describes


def is_clean(blocks: Blocks, *, start: int, size: int) -> bool:
    """Tell whether the log of `size` bytes at `start` is empty; one that cannot be read is not."""
    sectors = size // _SECTOR
    if sectors < 2 or start + size > blocks.size:
        return False

    def cycle(index: int) -> int:
        raw = blocks.read(start + index * _SECTOR, 8)
        return int.from_bytes(raw[4:] if raw[:4] == _RECORD else raw[:4], "big")

    first = cycle(0)
    if not first:
        return True  # never written
    low, high = 0, sectors  # the first sector whose cycle differs
    if cycle(sectors - 1) != first:
        high = sectors - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if cycle(middle) == first else (low, middle)
    return _ends_with_unmount(blocks, start=start, sectors=sectors, head=high)


def _ends_with_unmount(blocks: Blocks, *, start: int, sectors: int, head: int) -> bool:
    """Tell whether the last record before the sector `head` says that the file system was unmounted."""
    count = min(_SEARCHED, sectors)
    content = b"".join(
        blocks.read(start + first * _SECTOR, number * _SECTOR) for first, number in _before(head, count, sectors)
    )
    for at in range(count - 1, -1, -1):
        place = at * _SECTOR
        if content[place : place + 4] != _RECORD:
            continue
        fields = _HEADER.unpack_from(content, place)
        operations = fields[8]
        size = int.from_bytes(content[place + 320 : place + 324], "big")  # h_size: what its headers can describe
        headers = max(1, -(-size // _CYCLES_BYTES)) if fields[2] & 2 else 1
        body = place + headers * _SECTOR
        return operations == 1 and body + 10 <= len(content) and bool(content[body + 9] & _UNMOUNT)
    return False


def _before(head: int, count: int, sectors: int) -> list[tuple[int, int]]:
    """Return the `count` sectors before `head` as (first, number): one part, or two around the ring's end."""
    if head >= count:
        return [(head - count, count)]
    parts = [(sectors - (count - head), count - head)]
    return [*parts, (0, head)] if head else parts
