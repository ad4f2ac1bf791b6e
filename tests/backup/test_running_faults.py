"""Backups of a running machine that are killed, and places that fail: points stay right, and the guest runs on.

The disk is written to through QEMU's device, as a guest does, while everything runs.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny_guest
from jeos.backup import points, running
from jeos.backup.restored import PointBlocks
from jeos.core.errors import HostError, JeosError
from jeos.model.machine import Status
from jeos.model.snapshot import Point
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault
from jeos.vm import session
from jeos.vm.places import places_of
from jeos_command import make_jeos
from qemu_door import QemuDoor
from qemu_monitor import Monitor

pytestmark = pytest.mark.vm
CHUNK, MEBIBYTE = 64 << 10, 1 << 20
SIZE = 48 * MEBIBYTE
KILLS = 50
DEVICE = "/machine/peripheral-anon/device[0]/virtio-backend"


class Writing:
    """The tiny machine, whose disk is written to by command, and what it should hold."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        door = QemuDoor.make(folder / "door", make_jeos(folder / "jeos"))
        for name, value in door.jeos(more=Monitor.options(folder)).environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("JEOS_BACKUPS", str(folder / "vault"))
        self.machine = tiny_guest.machine(folder)
        content = random.Random(1).randbytes(24 * MEBIBYTE)
        Path(self.machine.disk).write_bytes(content)
        os.truncate(self.machine.disk, SIZE)
        self.content = bytearray(content) + bytearray(SIZE - len(content))
        session.run(tiny_guest.machine(folder))
        self.monitor = Monitor(folder)
        self.random = random.Random(2)
        self.device = next(
            entry["qdev"]
            for entry in self.monitor.execute("query-block")
            if entry.get("inserted", {}).get("node-name") == "disk"
        )

    def write(self) -> None:
        place = self.random.randrange(SIZE // 4096) * 4096
        length = min(SIZE - place, self.random.choice((4096, CHUNK, MEBIBYTE)))
        value = self.random.randrange(1, 256)
        words = f'qemu-io -d {self.device} "write -P {value} {place} {length}"'
        assert self.monitor.execute("human-monitor-command", **{"command-line": words}) == ""
        self.content[place : place + length] = bytes([value]) * length

    def still_well(self) -> None:
        """Check that the guest runs, and that nothing of a backup is left in QEMU or beside the disk."""
        assert session.state("tiny").status is Status.RUNNING
        deadline = time.monotonic() + 60
        while [node for node in self.monitor.nodes() if node.startswith("jeos-")]:
            assert time.monotonic() < deadline, self.monitor.nodes()
            time.sleep(0.05)
        assert self.monitor.execute("query-status")["running"]
        assert list(places_of("tiny").folder.glob("scratch*")) == []


@pytest.fixture
def writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writing]:
    made = Writing(tmp_path, monkeypatch)
    yield made
    made.monitor.close()
    session.remove("tiny", force=True)


def whole(vault: Vault, point: Point) -> bytes:
    disk = PointBlocks(vault, point.disks[0].manifest)
    return disk.read(0, disk.size)


def test_backup_killed_at_any_moment_harms_nothing(writing: Writing) -> None:
    Vault.create(FolderPlace(writing.folder / "vault"))
    argv = [sys.executable, "-m", "jeos", "backup", "create", "tiny"]
    began = time.monotonic()
    subprocess.run(argv, check=True, capture_output=True)
    usual = time.monotonic() - began
    expected = {1: bytes(writing.content)}
    finished = 0
    for _ in range(KILLS):
        writing.write()
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=writing.random.uniform(0, usual))
            finished += 1
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        vault = Vault.open(FolderPlace(writing.folder / "vault"))
        newest = points.newest(vault, "tiny")
        assert newest is not None
        expected.setdefault(newest.number, bytes(writing.content))
    writing.still_well()
    writing.write()
    last = running.create(Vault.open(FolderPlace(writing.folder / "vault")), "tiny", freeze=False)
    expected[last.number] = bytes(writing.content)
    vault = Vault.open(FolderPlace(writing.folder / "vault"))
    found = {point.number: whole(vault, point) for point in points.readable(vault, "tiny")}
    assert found.keys() == expected.keys()
    assert [number for number in found if found[number] != expected[number]] == []
    writing.still_well()


class Failing(FolderPlace):
    """A place that is full from the n-th file on."""

    left = 0

    def put_new(self, name: str, data: bytes) -> bool:  # type: ignore[override]
        self.left -= 1
        if self.left < 0:
            raise HostError(f"no room left for {name}", hint="free some room")
        return super().put_new(name, data)


@pytest.mark.parametrize("files", [0, 1, 2, 3, 4])
def test_place_that_fills_up_ends_the_backup_and_not_the_guest(files: int, writing: Writing) -> None:
    place = Failing(writing.folder / "vault")
    place.left = 10
    vault = Vault.create(place)
    first = running.create(vault, "tiny", freeze=False)
    before = bytes(writing.content)
    writing.write()
    place.left = files
    try:
        running.create(Vault.open(place), "tiny", freeze=False)
    except JeosError as error:
        assert "no room left" in error.message
    writing.still_well()
    place.left = 100
    writing.write()
    last = running.create(Vault.open(place), "tiny", freeze=False)
    fresh = Vault.open(FolderPlace(writing.folder / "vault"))
    assert whole(fresh, first) == before
    assert whole(fresh, last) == bytes(writing.content)
    assert last.read < SIZE // 4  # the record of changes outlived the failure
