"""Disks written out chunk by chunk, in the order of the packs."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.backup.create import Source, create
from jeos.backup.needs import needs
from jeos.backup.restore import holes, into_device
from jeos.core.errors import InputError
from jeos.disk.blocks import Memory
from jeos.model.snapshot import CHUNK, SEGMENT, Consistency, Manifest, Point, Segment, segment_bytes
from jeos.store.base import DamagedObjectError, MissingObjectError
from jeos.store.places.folder import FolderPlace
from jeos.store.places.memory import MemoryPlace
from jeos.store.vault import Vault
from jeos.store.vault_collect import collect
from restored_disks import filled


def point_of(vault: Vault, disk: bytes | bytearray) -> Point:
    return create(vault, [Source("vda", "raw", Memory(disk))], owner="web01", consistency=Consistency.STOPPED)


def packs(folder: Path) -> set[str]:
    return {path.name for path in (folder / "vault/packs").rglob("*") if path.is_file()}


def spread(*, seed: int = 1) -> bytearray:
    """Return a disk with noise, a chunk that is there four times, a segment of zeros, and a short end."""
    noise = random.Random(seed)
    disk = bytearray(3 * SEGMENT + 5 * CHUNK + 100)
    disk[: 150 * CHUNK] = noise.randbytes(150 * CHUNK)
    again = disk[3 * CHUNK : 4 * CHUNK]
    for place in (80 * CHUNK, 1000 * CHUNK, 2 * SEGMENT + 7 * CHUNK):
        disk[place : place + CHUNK] = again
    disk[-100:] = noise.randbytes(100)
    return disk


def test_every_place_of_a_chunk_is_written_and_progress_grows() -> None:
    vault, disk, told = Vault.create(MemoryPlace()), spread(), list[tuple[int, int]]()
    point = point_of(vault, disk)
    assert filled(vault, point.disks[0].manifest, progress=lambda *at: told.append(at)) == disk
    assert told == sorted(told)
    assert told[-1] == (len(disk), len(disk))


def test_pack_that_was_written_anew_meanwhile_is_found(tmp_path: Path) -> None:
    vault = Vault.create(FolderPlace(tmp_path / "vault"))
    disk = spread()
    point_of(vault, disk)
    before = packs(tmp_path)
    disk[: 140 * CHUNK] = bytes(140 * CHUNK)  # most of the first pack is of no use then
    kept = point_of(vault, disk)
    reader = Vault.open(FolderPlace(tmp_path / "vault"))
    reader.chunks.loaded()
    vault.delete_point(vault.points()[0])
    for _ in range(3):  # what one collection marks, a later one deletes
        collect(vault, needs=needs)
    assert packs(tmp_path).isdisjoint(before)
    assert filled(reader, kept.disks[0].manifest) == disk


def test_damage_is_named() -> None:
    vault = Vault.create(place := MemoryPlace())
    point = point_of(vault, spread())
    for name in [found.name for found in place.list("packs/")]:
        content = bytearray(place.get(name))
        content[len(content) // 2] ^= 1
        place.files[name] = bytes(content)
    with pytest.raises(DamagedObjectError):
        filled(Vault.open(place), point.disks[0].manifest)
    for name in [found.name for found in place.list("packs/")]:
        place.delete(name)
    with pytest.raises(MissingObjectError):
        filled(Vault.open(place), point.disks[0].manifest)


def test_chunk_that_is_shorter_than_its_place_is_refused() -> None:
    vault = Vault.create(MemoryPlace())
    with vault.session() as session:
        short = session.write(b"short")
        segment = session.write(segment_bytes(Segment(short + bytes(32 * 1023))))
    with pytest.raises(InputError, match="chunk 0 of the disk has 5 bytes, not 65536"):
        filled(vault, Manifest(size=SEGMENT, segments=(segment,)))


def test_holes_are_what_is_no_data() -> None:
    class Sparse(Memory):
        def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
            yield from ((10, 20), (20, 30), (50, 60))

    assert list(holes(Sparse(bytes(100)))) == [(0, 10), (30, 50), (60, 100)]
    assert list(holes(Memory(b"abc"))) == []


@pytest.mark.root
def test_device_holds_the_disk_and_nothing_of_what_was_there_before(tmp_path: Path) -> None:
    vault, disk = Vault.create(MemoryPlace()), spread()
    del disk[3 * SEGMENT :]
    point, backing = point_of(vault, disk), tmp_path / "device.raw"
    rest = os.urandom(CHUNK)
    backing.write_bytes(b"old" * SEGMENT + rest)
    device = subprocess.run(["losetup", "-f", "--show", backing], check=True, capture_output=True, text=True)
    path = Path(device.stdout.strip())
    try:
        into_device(vault, point.disks[0], path)
        larger = point_of(vault, bytes(len(disk)) + bytes(2 * CHUNK))
        with pytest.raises(InputError, match="take a larger one"):
            into_device(vault, larger.disks[0], path)
    finally:
        subprocess.run(["losetup", "-d", path], check=True)
    assert backing.read_bytes() == bytes(disk) + rest
