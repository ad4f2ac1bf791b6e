"""Disks in foreign formats as qemu-img makes them, and what must hold of any reader of such disks."""

import json
import random
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk.blocks import Blocks, Memory
from jeos.disk.formats import open_disk

MIB = 1 << 20
READ_AT_ONCE = 777_777  # bytes: no multiple of any block, cluster or grain
MEMORY_LIMIT = 96 * MIB  # what a hostile disk of a few MiB may make a reader hold


def content(size: int = 24 * MIB, *, seed: int = 1) -> bytes:
    """Return a disk with text, noise and zeros, in runs that end in the middle of clusters."""
    random_bytes = random.Random(seed)
    disk = bytearray(size)
    for _ in range(12):
        length = random_bytes.randrange(1, 900_000)
        at = random_bytes.randrange(0, size - length)
        if random_bytes.random() < 0.5:
            disk[at : at + length] = random_bytes.randbytes(length)
        else:
            disk[at : at + length] = (b"the quick brown fox %d " % at * (length // 20))[:length].ljust(length, b".")
    disk[:512] = b"\xfa\xb8" + random_bytes.randbytes(510)
    disk[-512:] = random_bytes.randbytes(512)
    return bytes(disk)


def write_raw(path: Path, disk: bytes) -> Path:
    """Write a raw disk with holes where it has 64 KiB of zeros."""
    with path.open("wb") as file:
        for at in range(0, len(disk), 65536):
            if any(disk[at : at + 65536]):
                file.seek(at)
                file.write(disk[at : at + 65536])
        file.truncate(len(disk))
    return path


def convert(raw: Path, target: Path, *options: str, format: str) -> Path:
    """Convert a raw disk with qemu-img."""
    run(["qemu-img", "convert", "-f", "raw", "-O", format, *options, raw, target])
    return target


def as_raw(path: Path, *, format: str) -> bytes:
    """Return what qemu-img reads of a disk."""
    raw = path.with_name(path.name + ".as-raw")
    run(["qemu-img", "convert", "-f", format, "-O", "raw", path, raw])
    disk = raw.read_bytes()
    raw.unlink()
    return disk


def data_ranges(path: Path, *, format: str) -> list[tuple[int, int]]:
    """Return the ranges that qemu-img says are not zeros."""
    text = run(["qemu-img", "map", "--output=json", "-f", format, path]).text
    ranges: list[tuple[int, int]] = []
    for one in json.loads(text):
        if one["data"] and not one["zero"]:
            if ranges and ranges[-1][1] == one["start"]:
                ranges[-1] = (ranges[-1][0], one["start"] + one["length"])
            else:
                ranges.append((one["start"], one["start"] + one["length"]))
    return ranges


def read_all(disk: Blocks, *, at_once: int = READ_AT_ONCE) -> bytes:
    """Return all bytes of a disk, read in pieces."""
    return b"".join(disk.read(at, min(at_once, disk.size - at)) for at in range(0, disk.size, at_once))


def from_data(disk: Blocks) -> bytes:
    """Return the bytes of a disk, where those that are not in the ranges of its data are zeros."""
    rebuilt, last = bytearray(disk.size), 0
    for start, end in disk.data(0, disk.size):
        assert last <= start < end <= disk.size
        rebuilt[start:end] = disk.read(start, end - start)
        last = end
    return bytes(rebuilt)


def assert_reads(disk: Blocks, expected: bytes) -> None:
    """Check that a disk has these bytes, however it is read."""
    assert disk.size == len(expected)
    assert read_all(disk) == expected
    assert from_data(disk) == expected
    places = random.Random(len(expected))
    for _ in range(50):
        at = places.randrange(0, len(expected))
        length = places.randrange(0, min(200_000, len(expected) - at) + 1)
        assert disk.read(at, length) == expected[at : at + length]
        inside = list(disk.data(at, at + length))
        assert all(at <= start < end <= at + length for start, end in inside)


def assert_survives(attempt: Callable[[], object]) -> None:
    """Check that something hostile ends well or in an InputError, in bounded memory."""
    tracemalloc.start()
    try:
        attempt()
    except InputError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MEMORY_LIMIT


def read_hostile(disk: bytes, *, format: str) -> None:
    """Open a damaged disk, and read the start of each range that it says has data, up to 64 of them, and its ends."""
    with open_disk(Memory(disk), format=format) as opened:
        for count, (start, end) in enumerate(opened.data(0, opened.size)):
            opened.read(start, min(end - start, MIB))
            if count == 64:
                break
        for _ in opened.data(0, opened.size):
            pass
        if opened.size:
            opened.read(0, min(opened.size, MIB))
            opened.read(max(0, opened.size - MIB), min(opened.size, MIB))


def flipped(disk: bytes, changes: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a disk with bytes written over others."""
    damaged = bytearray(disk)
    for at, what in changes:
        at %= len(disk)
        damaged[at : at + len(what)] = what[: len(disk) - at]
    return bytes(damaged)


def read_by_libvhdi(path: Path, parent: Path) -> bytes:
    """Return what libvhdi reads of a differencing VHD or VHDX: QEMU does not read these."""
    pyvhdi = pytest.importorskip("pyvhdi")
    top, below = pyvhdi.file(), pyvhdi.file()
    top.open(str(path))
    below.open(str(parent))
    top.set_parent(below)
    disk: bytes = top.read_buffer_at_offset(top.get_media_size(), 0)
    top.close()
    below.close()
    return disk
