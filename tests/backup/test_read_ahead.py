"""Chunks that are fetched before a guest asks for them."""

import random
import threading
from collections.abc import Iterator, Sequence

import pytest

from jeos.backup.create import Source, create
from jeos.backup.restored import AHEAD, PointBlocks, ReadAhead
from jeos.core.errors import StoreError
from jeos.disk.blocks import Memory
from jeos.model.snapshot import CHUNK, Consistency, Point
from jeos.store.places.memory import MemoryPlace
from jeos.store.vault import Vault

CHUNKS = 12
DISK = random.Random(1).randbytes(CHUNKS * CHUNK - 512)  # the last chunk is shorter
SECONDS = 30.0  # until what is fetched behind the reader's back is there


class Asked:
    """A vault that keeps what was asked of it, in which some chunks are missing."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.read_ids: list[bytes] = []
        self.lost: set[bytes] = set()
        self._came = threading.Condition()

    def read(self, chunk_id: bytes) -> bytes:
        return self.read_many([chunk_id])[0]

    def read_many(self, chunk_ids: Sequence[bytes]) -> list[bytes]:
        try:
            if self.lost.intersection(chunk_ids):
                raise StoreError("a chunk is missing", hint="find it")
            return self.vault.read_many(chunk_ids)
        finally:
            with self._came:
                self.read_ids += chunk_ids
                self._came.notify_all()

    def stream(self, chunk_ids: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        raise AssertionError("a guest reads a few chunks")

    def wait_for(self, count: int) -> list[bytes]:
        """Return what was asked for since the last time, once it is so much."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.read_ids) >= count, SECONDS), self.read_ids
            found, self.read_ids = self.read_ids, []
            return found


@pytest.fixture
def point() -> tuple[Asked, Point]:
    vault = Vault.create(MemoryPlace())
    return Asked(vault), create(
        vault, [Source("vda", "raw", Memory(DISK))], owner="web01", consistency=Consistency.STOPPED
    )


def opened(point: tuple[Asked, Point]) -> tuple[Asked, list[bytes], ReadAhead]:
    """Return the vault, the ids of the disk's chunks, and the disk."""
    asked, found = point
    disk = PointBlocks(asked, found.disks[0].manifest)
    ids = [disk._id(number) for number in range(CHUNKS)]
    asked.read_ids.clear()  # what the lists of chunks took
    return asked, ids, ReadAhead(disk)


def test_next_chunks_are_there_before_they_are_asked_for(point: tuple[Asked, Point]) -> None:
    asked, ids, disk = opened(point)
    with disk:
        assert disk.read(512, 4096) == DISK[512:4608]
        assert asked.wait_for(1 + AHEAD) == ids[: 1 + AHEAD]
    assert disk.read(CHUNK, AHEAD * CHUNK) == DISK[CHUNK : (1 + AHEAD) * CHUNK]
    assert asked.read_ids == []


def test_nothing_is_fetched_beyond_the_end(point: tuple[Asked, Point]) -> None:
    asked, ids, disk = opened(point)
    with disk:
        start = (CHUNKS - 2) * CHUNK
        assert disk.read(start, 512) == DISK[start : start + 512]
        assert asked.wait_for(2) == ids[-2:]
        assert disk.read(len(DISK) - 512, 512) == DISK[-512:]
    assert asked.read_ids == []


def test_missing_chunk_is_only_told_to_who_asks_for_it(point: tuple[Asked, Point]) -> None:
    asked, ids, disk = opened(point)
    asked.lost = {ids[2]}
    with disk:
        assert disk.read(0, CHUNK) == DISK[:CHUNK]
        asked.wait_for(1 + AHEAD)
        assert disk.read(CHUNK, CHUNK) == DISK[CHUNK : 2 * CHUNK]
        with pytest.raises(StoreError, match="missing"):
            disk.read(2 * CHUNK, 512)


def test_closed_disk_reads_but_not_ahead(point: tuple[Asked, Point]) -> None:
    asked, ids, disk = opened(point)
    disk.close()
    assert disk.read(0, 512) == DISK[:512]
    assert asked.read_ids == ids[:1]
