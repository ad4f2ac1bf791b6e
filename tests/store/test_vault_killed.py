"""Processes that are killed while they write, collect or copy, on a folder; a store that fills up, fails or is slow."""

import errno
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from jeos.core.errors import HostError, StoreError
from jeos.store.places.folder import FolderPlace
from jeos.store.places.memory import MemoryPlace
from jeos.store.vault import Vault
from jeos.store.vault_check import check
from jeos.store.vault_collect import collect
from jeos.store.vault_errors import BrokenLeaseError
from soak import SOAK
from vault_worlds import backup, content, expected, needs, stored

KILLS = 50 if SOAK else 6
fork = multiprocessing.get_context("fork")


def names(number: int) -> list[str]:
    """Return the chunks of a point: most are those of the point before."""
    return [f"{at if at % 5 else f'{at} {number}'}" for at in range(60)]


def write_for_ever(folder: Path, begun: Event, start: int) -> None:
    vault = Vault.open(FolderPlace(folder))
    begun.set()
    number = start
    while True:
        backup(vault, f"web/{number:06}", names(number))
        number += 1


def collect_for_ever(folder: Path, begun: Event, start: int) -> None:
    vault = Vault.open(FolderPlace(folder))
    begun.set()
    while True:
        points = vault.points()
        for point in points[:-2]:
            vault.delete_point(point)
        collect(vault, needs=needs)


def killed_after(seconds: float, work: Callable[[Path, Event, int], None], folder: Path, start: int) -> None:
    begun = fork.Event()
    process = fork.Process(target=work, args=(folder, begun, start), daemon=True)
    process.start()
    assert begun.wait(60)
    time.sleep(seconds)
    process.kill()
    process.join()


def whole(folder: Path) -> dict[str, list[str]]:
    """Return what the points that are there must hold."""
    return {point: names(int(point.partition("/")[2])) for point in Vault.open(FolderPlace(folder)).points()}


@pytest.mark.parametrize("work", [write_for_ever, collect_for_ever])
def test_vault_is_whole_after_any_kill(tmp_path: Path, work: Callable[[Path, Event, int], None]) -> None:
    vault = Vault.create(FolderPlace(tmp_path))
    chance = random.Random(work.__name__)
    for number in range(KILLS):
        start = (number + 1) * 1000
        for more in range(3):
            backup(vault, f"web/{start - 500 + more:06}", names(start - 500 + more))
        killed_after(chance.uniform(0, 0.2), work, tmp_path, start)
        points = whole(tmp_path)
        assert points
        assert stored(Vault.open(FolderPlace(tmp_path))) == expected(points), number
    vault = Vault.open(FolderPlace(tmp_path))
    collect(vault, needs=needs)
    collect(vault, needs=needs)
    assert stored(vault) == expected(whole(tmp_path))
    assert check(vault, needs=needs).sound
    assert [found.name for prefix in ("leases/", "doomed/") for found in vault.files.found(prefix)] == []


def test_two_writers_and_a_collection_at_once_lose_nothing(tmp_path: Path) -> None:
    Vault.create(FolderPlace(tmp_path))
    begun = [fork.Event() for _ in range(3)]
    processes = [
        fork.Process(target=work, args=(tmp_path, event, start), daemon=True)
        for work, event, start in zip(
            (write_for_ever, write_for_ever, collect_for_ever), begun, (1000, 500_000, 0), strict=True
        )
    ]
    for process in processes:
        process.start()
    deadline = time.monotonic() + 60
    seen: set[str] = set()
    while len(seen) < 12 and time.monotonic() < deadline:  # points come and go
        assert [process.exitcode for process in processes] == [None, None, None]
        seen |= set(Vault.open(FolderPlace(tmp_path)).points())
    for process in processes:
        process.kill()
        process.join()
    assert len(seen) >= 12
    vault = Vault.open(FolderPlace(tmp_path))
    assert stored(vault) == expected(whole(tmp_path))
    collect(vault, needs=needs)
    assert stored(vault) == expected(whole(tmp_path))
    assert check(vault, needs=needs).sound


class FailingPlace(MemoryPlace):
    """A place that takes `room` bytes, then says that it is full; or that is slow."""

    def __init__(self, *, room: int = 1 << 40, seconds: float = 0) -> None:
        super().__init__()
        self.room, self.seconds = room, seconds

    def put_new(self, name: str, data: bytes | bytearray | memoryview | Path) -> bool:
        time.sleep(self.seconds)
        assert not isinstance(data, Path)
        if self.room < len(data):
            raise HostError("no room left", hint="")
        self.room -= len(data)
        return super().put_new(name, data)


def test_store_that_fills_up_keeps_what_was_complete() -> None:
    place = FailingPlace()
    vault = Vault.create(place)
    backup(vault, "web/1", ["a", "b"])
    for room in range(0, 20_000, 500):
        place.room = room
        with pytest.raises(HostError):
            backup(vault, "web/2", ["a", "c", "d", "e", "f", "g"])
        assert stored(Vault.open(place)) == expected({"web/1": ["a", "b"]})
    place.room = 1 << 40
    backup(vault, "web/2", ["a", "c", "d", "e", "f", "g"])
    assert stored(Vault.open(place)) == expected({"web/1": ["a", "b"], "web/2": ["a", "c", "d", "e", "f", "g"]})


def test_collection_on_a_full_store_loses_nothing() -> None:
    place = FailingPlace()
    vault = Vault.create(place)
    backup(vault, "web/1", ["a", "b", "c", "d"])
    backup(vault, "web/2", ["a"])
    vault.delete_point("web/1")
    place.room = 0
    with pytest.raises(HostError):
        collect(vault, needs=needs)
    assert stored(Vault.open(place)) == expected({"web/2": ["a"]})


def test_writer_waits_for_a_slow_store_and_holds_little_in_memory() -> None:
    place = FailingPlace(seconds=0.05)
    vault = Vault.create(place)
    source = random.Random(1)
    with vault.session() as session:
        for _ in range(6):
            for _ in range(17):
                session.write(source.randbytes(1 << 20))
            # One pack is being written, one is being filled: all before them are there.
            packs = [name for name in place.files if name.startswith("packs/")]
            assert session.new_bytes - sum(len(place.files[name]) for name in packs) < 35 << 20
        session.commit_point("web/1", b"")


def test_disk_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault.create(FolderPlace(tmp_path))
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="no room left on the disk that holds"):
        backup(vault, "web/1", ["a"])
    monkeypatch.setattr(os, "fsync", real)
    backup(vault, "web/1", ["a"])
    assert stored(vault) == expected({"web/1": ["a"]})


def test_session_notices_that_it_was_suspended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock that goes on while the machine sleeps says that no sign of life was given for too long."""
    vault = Vault.create(FolderPlace(tmp_path))
    with pytest.raises(BrokenLeaseError), vault.session() as session:
        session.write(content("a"))
        clock = time.clock_gettime
        monkeypatch.setattr(time, "clock_gettime", lambda number: clock(number) + 3600)
        session.commit_point("web/1", b"")
    assert Vault.open(FolderPlace(tmp_path)).points() == []


def test_error_of_one_thread_ends_the_writes_of_all() -> None:
    place = FailingPlace(room=20 << 20)
    vault = Vault.create(place)
    source = random.Random(1)
    data = [source.randbytes(1 << 20) for _ in range(80)]
    errors = []
    with pytest.raises((HostError, StoreError)), vault.session() as session:

        def write(part: int) -> None:
            try:
                for one in data[part::2]:
                    session.write(one)
            except HostError as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=(part,)) for part in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session.commit_point("web/1", b"")
    assert errors
    assert Vault.open(place).points() == []
