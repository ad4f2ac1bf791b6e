"""How much room a file will take, before it is written."""

import zlib
from itertools import islice

from jeos.disk.blocks import Blocks

SAMPLES = 32  # pieces that are compressed, spread over the data
SAMPLE = 64 << 10  # bytes; what VMDK and qcow2 compress at once
SLACK = 1.1  # tables, and data that is unlike the samples
LEAST = 1 << 20  # bytes


def needed(disk: Blocks, *, packed: bool) -> int:
    """Return about how many bytes a disk takes: its data, or that compressed as far as samples of it tell."""
    ranges = list(disk.data(0, disk.size))
    total = sum(end - start for start, end in ranges)
    if not packed or not total:
        return int(total * SLACK) + LEAST
    raw, small = 0, 0
    for start, length in _samples(ranges, total=total):
        piece = disk.read(start, length)
        raw, small = raw + length, small + len(zlib.compress(piece, 1))
    return int(total * SLACK * small / raw) + LEAST


def _samples(ranges: list[tuple[int, int]], *, total: int) -> list[tuple[int, int]]:
    """Return places in the data, at equal distances in it."""
    step = max(SAMPLE, total // SAMPLES)
    places = []
    wanted = 0  # how far into the data the next sample is
    passed = 0
    for start, end in ranges:
        while wanted < passed + end - start:
            place = start + wanted - passed
            places.append((place, min(SAMPLE, end - place)))
            wanted += step
        passed += end - start
    return list(islice(places, SAMPLES))
