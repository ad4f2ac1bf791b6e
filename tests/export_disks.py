"""Small disks to export, with data at the beginning, in the middle and at the end, and holes between."""

import random
from pathlib import Path

from jeos.disk.blocks import Memory
from jeos.export.source import Source

MEBIBYTE = 1 << 20
PLACES = ((0, 3000), (5 * MEBIBYTE - 100, 70_000), (17 * MEBIBYTE + 4096, 512), (33 * MEBIBYTE - 512, 512))
SIZE = 33 * MEBIBYTE


def write(path: Path, *, size: int = SIZE) -> bytes:
    """Write a sparse disk and return its bytes."""
    source = random.Random(7)
    content = bytearray(size)
    with path.open("wb") as file:
        file.truncate(size)
        for place, length in PLACES:
            if place + length > size:
                continue
            half = source.randbytes(length // 2)
            content[place : place + length] = (half + b"text" * length)[:length]
            file.seek(place)
            file.write(content[place : place + length])
    return bytes(content)


def small(**told: object) -> Source:
    """Return a source with a disk of 1 MiB."""
    content = bytearray(MEBIBYTE)
    content[:4] = b"disk"
    return Source(disk=Memory(content), name="small", **told)  # type: ignore[arg-type]
