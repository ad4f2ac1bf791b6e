"""Disks into a vault and back: full, compared with an earlier point, and by ranges that changed."""

import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.bindings import _rust
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.backup import points
from jeos.backup.create import Source, create
from jeos.backup.restored import PointBlocks
from jeos.backup.segments import Segments, ids
from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, File, Memory
from jeos.model.snapshot import CHUNK, ID, PER_SEGMENT, SEGMENT, Consistency, Point
from jeos.store.places.memory import MemoryPlace
from jeos.store.vault import Vault
from restored_disks import filled


@pytest.fixture
def vault() -> Vault:
    return Vault.create(MemoryPlace())


class Counted:
    """A disk that says which ranges were read."""

    def __init__(self, content: bytes | bytearray) -> None:
        self.size = len(content)
        self._memory = Memory(content)
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, offset + length))
        return self._memory.read(offset, length)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        return self._memory.data(start, end)


def noise(size: int, *, seed: int = 1) -> bytearray:
    return bytearray(random.Random(seed).randbytes(size))


def take(
    vault: Vault, disk: Blocks, *, changed: Iterable[tuple[int, int]] | None = None, parent: Point | None = None
) -> Point:
    source = Source("vda", "raw", disk, changed=changed)
    return create(vault, [source], owner="web01", consistency=Consistency.STOPPED, parent=parent)


def content(vault: Vault, point: Point) -> bytes:
    """Return the disk of a point, which both ways of reading it must agree upon."""
    blocks = PointBlocks(vault, point.disks[0].manifest)
    read = blocks.read(0, blocks.size)
    assert filled(vault, point.disks[0].manifest) == read
    return read


@pytest.mark.parametrize("size", [0, 1, 512, CHUNK, CHUNK + 1, 3 * CHUNK - 7, SEGMENT + 5 * CHUNK + 3])
def test_disk_of_any_size_comes_back(vault: Vault, size: int) -> None:
    disk = noise(size)
    point = take(vault, Memory(disk))
    assert content(vault, point) == disk
    assert (point.size, point.read, point.number, point.parent) == (size, size, 1, "")
    assert point.data == -(-size // CHUNK) * CHUNK
    assert points.find(vault, "web01") == point


def test_zeros_are_not_stored(vault: Vault) -> None:
    disk = bytearray(2 * SEGMENT)
    disk[SEGMENT + 5 * CHUNK + 100] = 1
    point = take(vault, Memory(disk))
    assert content(vault, point) == disk
    assert point.disks[0].manifest.segments[0] == b""
    assert point.data == CHUNK
    assert list(PointBlocks(vault, point.disks[0].manifest).data(0, 2 * SEGMENT)) == [
        (SEGMENT + 5 * CHUNK, SEGMENT + 6 * CHUNK)
    ]


def test_huge_sparse_file_costs_little(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "huge.raw"
    with path.open("wb") as file:
        file.truncate(2 << 40)
        file.seek((1 << 40) + 12345)
        file.write(b"here")
    with File(path) as disk:
        point = take(vault, disk)
    assert (point.size, point.data) == (2 << 40, CHUNK)
    assert point.read <= 2 * CHUNK
    blocks = PointBlocks(vault, point.disks[0].manifest)
    assert blocks.read((1 << 40) + 12340, 12) == b"\0\0\0\0\0here\0\0\0"
    assert [end - start for start, end in blocks.data(0, blocks.size)] == [CHUNK]


def test_unchanged_disk_stores_no_chunk(vault: Vault) -> None:
    disk = noise(SEGMENT + 3 * CHUNK)
    first = take(vault, Memory(disk))
    second = take(vault, Memory(disk))
    assert second.disks[0].manifest == first.disks[0].manifest
    assert (second.new, second.number, second.parent) == (0, 2, first.name)
    assert second.data == first.data


def test_little_that_changed_costs_little(vault: Vault) -> None:
    disk = noise(SEGMENT)
    first = take(vault, Memory(disk))
    disk[9 * CHUNK] ^= 1
    second = take(vault, Memory(disk))
    assert content(vault, second) == disk
    assert content(vault, first) != disk
    assert second.new < CHUNK + 400  # the chunk, and a segment that says only what differs
    disk[700 * CHUNK] ^= 1
    third = take(vault, Memory(disk))
    assert Segments(vault.read).get(third.disks[0].manifest.segments[0]).base == first.disks[0].manifest.segments[0]
    disk[9 * CHUNK] ^= 1
    disk[700 * CHUNK] ^= 1
    assert take(vault, Memory(disk)).disks[0].manifest == first.disks[0].manifest


def test_later_points_are_packed_closer_than_the_first(vault: Vault) -> None:
    program = Path(_rust.__file__).read_bytes()[: 32 * CHUNK]  # text gains nothing
    first = take(vault, Memory(program))
    other = Vault.create(MemoryPlace())
    take(other, Memory(bytes(len(program))))
    second = take(other, Memory(program))
    assert content(other, second) == content(vault, first) == program
    assert second.new < first.new


def test_chunk_that_became_zeros_is_forgotten(vault: Vault) -> None:
    disk = noise(3 * CHUNK)
    first = take(vault, Memory(disk))
    disk[CHUNK : 2 * CHUNK] = bytes(CHUNK)
    second = take(vault, Memory(disk))
    assert content(vault, second) == disk
    assert (first.data, second.data) == (3 * CHUNK, 2 * CHUNK)


def test_only_changed_ranges_are_read(vault: Vault) -> None:
    disk = noise(3 * SEGMENT)
    first = take(vault, Memory(disk))
    disk[SEGMENT + 10] ^= 1
    disk[2 * SEGMENT + 5 * CHUNK : 2 * SEGMENT + 7 * CHUNK] = bytes(2 * CHUNK)
    counted = Counted(disk)
    changed = [(SEGMENT + 10, SEGMENT + 11), (2 * SEGMENT + 5 * CHUNK, 2 * SEGMENT + 7 * CHUNK)]
    second = take(vault, counted, changed=changed, parent=first)
    assert sorted(counted.reads) == [(SEGMENT, SEGMENT + CHUNK), (2 * SEGMENT + 5 * CHUNK, 2 * SEGMENT + 7 * CHUNK)]
    assert content(vault, second) == disk
    assert second.data == first.data - 2 * CHUNK
    assert second.disks[0].manifest.segments[0] == first.disks[0].manifest.segments[0]


def test_changed_range_over_the_bound_of_segments(vault: Vault) -> None:
    disk = noise(2 * SEGMENT)
    first = take(vault, Memory(disk))
    disk[SEGMENT - 3 : SEGMENT + 3] = b"across"
    second = take(vault, Memory(disk), changed=[(SEGMENT - 3, SEGMENT + 3)], parent=first)
    assert content(vault, second) == disk


def test_ranges_without_a_parent_are_not_believed(vault: Vault) -> None:
    disk = noise(4 * CHUNK)
    take(vault, Memory(disk))
    disk[0] ^= 1
    assert content(vault, take(vault, Memory(disk), changed=[])) == disk


def test_disk_of_another_size_is_read_whole(vault: Vault) -> None:
    first = take(vault, Memory(noise(SEGMENT + 100)))
    disk = noise(SEGMENT + CHUNK, seed=2)
    second = take(vault, Memory(disk), changed=[], parent=first)
    assert content(vault, second) == disk
    smaller = noise(CHUNK - 5, seed=3)
    third = take(vault, Memory(smaller), changed=[], parent=second)
    assert content(vault, third) == smaller
    listed = Segments(vault.read).get(third.disks[0].manifest.segments[0]).ids
    assert listed[ID:] == bytes(ID * (PER_SEGMENT - 1))  # nothing behind its end


def test_ranges_out_of_order_are_refused(vault: Vault) -> None:
    disk = Memory(noise(4 * CHUNK))
    first = take(vault, disk)
    with pytest.raises(InputError, match="out of order"):
        take(vault, disk, changed=[(2 * CHUNK, 3 * CHUNK), (0, CHUNK)], parent=first)
    assert points.names_of(vault, "web01") == [first.name]


def test_what_the_vault_lost_is_stored_again(vault: Vault) -> None:
    disk = noise(SEGMENT)
    first = take(vault, Memory(disk))
    place = vault.place
    assert isinstance(place, MemoryPlace)
    packs = sorted(name for name in place.files if name.startswith("packs/"))
    for name in packs:
        del place.files[name]
    tries: list[list[tuple[int, int]] | None] = [None, []]
    for changed in tries:
        again = Vault.open(place)
        second = take(again, Memory(disk), changed=changed, parent=first)
        assert content(again, second) == disk
        for name in [name for name in place.files if name.startswith("packs/")]:
            del place.files[name]


def test_ids_of_a_point_are_all_that_it_needs(vault: Vault) -> None:
    disk = noise(SEGMENT + CHUNK)
    take(vault, Memory(disk))
    disk[0] ^= 1
    second = take(vault, Memory(disk))
    needed = set(ids(second, Segments(vault.read)))
    asked: set[bytes] = set()

    class Watching:
        def read(self, chunk_id: bytes) -> bytes:
            asked.add(chunk_id)
            return vault.read(chunk_id)

        def read_many(self, chunk_ids: Iterable[bytes]) -> list[bytes]:
            return [self.read(chunk_id) for chunk_id in chunk_ids]

        def stream(self, chunk_ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
            return ((chunk_id, self.read(chunk_id)) for chunk_id in chunk_ids)

    blocks = PointBlocks(Watching(), second.disks[0].manifest)
    assert blocks.read(0, blocks.size) == disk
    assert asked == needed - {b""}


def test_error_while_reading_leaves_no_point(vault: Vault) -> None:
    class Broken(Counted):
        def read(self, offset: int, length: int) -> bytes:
            if offset > SEGMENT:
                raise InputError("the disk broke")
            return super().read(offset, length)

    disk = noise(SEGMENT + 20 * CHUNK)
    with pytest.raises(InputError, match="the disk broke"):
        take(vault, Broken(disk))
    assert vault.points() == []
    assert take(vault, Memory(disk)).new < 6 << 20  # the rest was stored before


edits = st.lists(st.tuples(st.integers(0, 40 * CHUNK), st.integers(1, 3 * CHUNK), st.booleans()), max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40 * CHUNK), st.lists(edits, min_size=1, max_size=4))
def test_points_equal_the_disk_as_it_was(size: int, rounds: list[list[tuple[int, int, bool]]]) -> None:
    vault = Vault.create(MemoryPlace())
    disk = noise(size)
    kept = [(take(vault, Memory(disk)), bytes(disk))]
    for number, changes in enumerate(rounds):
        ranges = []
        for start, length, zero in changes:
            start, end = min(start, size), min(start + length, size)
            disk[start:end] = bytes(end - start) if zero else os.urandom(end - start)
            ranges.append((start, end))
        believed = number % 2 == 0
        point = take(
            vault, Memory(disk), changed=sorted(ranges) if believed else None, parent=kept[-1][0] if believed else None
        )
        kept.append((point, bytes(disk)))
    for point, before in kept:
        assert content(vault, point) == before
        assert point.data == sum(any(before[at : at + CHUNK]) for at in range(0, size, CHUNK)) * CHUNK
