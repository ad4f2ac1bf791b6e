"""Backups of machines that run, with a real QEMU; what is written in between is written while they stand still."""

import os
import random
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.backup import points, running
from jeos.backup.restored import PointBlocks
from jeos.core.errors import MachineError
from jeos.model.machine import Machine, parse_machine
from jeos.model.snapshot import Consistency, Point
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault
from jeos.vm import disks, session
from jeos.vm.places import places_of

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("own_machines")]
CHUNK, MEBIBYTE = 64 << 10, 1 << 20
SIZE = 8 * MEBIBYTE


@pytest.fixture
def tiny(tmp_path: Path) -> Machine:
    base = tmp_path / "disk.img"
    base.write_bytes(random.Random(1).randbytes(3 * MEBIBYTE))
    os.truncate(base, SIZE)
    made = tiny_guest.machine(tmp_path)
    if not Path(made.kernel).exists():
        Path(made.kernel).write_bytes(tiny_guest.elf())
        Path(made.initrd).write_bytes(b"none")
    return made


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(FolderPlace(tmp_path / "vault"))


def whole(vault: Vault, point: Point) -> bytes:
    disk = PointBlocks(vault, point.disks[0].manifest)
    return disk.read(0, disk.size)


def as_stopped(folder: Path) -> bytes:
    """Return the disk as QEMU reads it; the machine is stopped for it, and started again."""
    session.stop("tiny", within=0)
    target = folder / "now.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", places_of("tiny").disk, target], check=True)
    session.run(session.seen("tiny").machine)
    return target.read_bytes()


def write(what: str) -> None:
    """Write to the disk while the machine stands still; QEMU's record of changes takes note, as it would of a guest."""
    session.stop("tiny", within=0)
    subprocess.run(["qemu-io", "-c", f"write {what}", places_of("tiny").disk], check=True, stdout=subprocess.DEVNULL)
    session.run(session.seen("tiny").machine)


def test_points_follow_the_disk_and_read_only_what_changed(tiny: Machine, vault: Vault, tmp_path: Path) -> None:
    session.run(tiny)
    first = running.create(vault, "tiny")
    assert (first.number, first.consistency, first.size, first.read) == (1, Consistency.CRASH, SIZE, 3 * MEBIBYTE)
    assert first.notes == ("no agent of jeos answers in the guest", "read whole: there is no earlier point")
    assert parse_machine(first.machine, source="it").name == "tiny"
    assert whole(vault, first) == as_stopped(tmp_path)

    write(f"-P 7 {5 * CHUNK} {2 * CHUNK}")
    second = running.create(vault, "tiny", freeze=False)
    assert (second.read, second.parent, second.notes) == (2 * CHUNK, first.name, ())
    assert whole(vault, second) == as_stopped(tmp_path)

    third = running.create(vault, "tiny")
    assert (third.read, third.new < 4096) == (0, True)
    assert whole(vault, third) == whole(vault, second)
    assert whole(vault, first)[5 * CHUNK] != 7


def test_killed_qemu_makes_the_next_point_read_everything(tiny: Machine, vault: Vault, tmp_path: Path) -> None:
    session.run(tiny)
    running.create(vault, "tiny")
    write(f"-P 9 {6 * MEBIBYTE} {CHUNK}")
    os.kill(session.state("tiny").qemu, signal.SIGKILL)
    session.stop("tiny")
    session.run(session.seen("tiny").machine)
    second = running.create(vault, "tiny", freeze=False)
    assert second.notes == ("read whole: the record of changes is not whole, because QEMU was killed",)
    assert second.read >= 3 * MEBIBYTE
    assert whole(vault, second) == as_stopped(tmp_path)


def test_disk_that_starts_over_is_read_whole(tiny: Machine, vault: Vault, tmp_path: Path) -> None:
    session.run(tiny)
    running.create(vault, "tiny")
    write(f"-P 3 0 {CHUNK}")
    session.stop("tiny", within=0)
    session.run(tiny, fresh=True)
    point = running.create(vault, "tiny", freeze=False)
    assert point.notes == ("read whole: no record of changes was kept since the last point",)
    assert whole(vault, point) == as_stopped(tmp_path) == Path(tiny.disk).read_bytes()


def test_point_of_a_disk_that_grew_has_all_of_it(tiny: Machine, vault: Vault, tmp_path: Path) -> None:
    session.run(tiny)
    running.create(vault, "tiny")
    session.stop("tiny", within=0)
    session.run(replace(tiny, disk_size=SIZE + 3 * MEBIBYTE))
    point = running.create(vault, "tiny", freeze=False)
    assert point.size == SIZE + 3 * MEBIBYTE
    assert whole(vault, point) == as_stopped(tmp_path)


def test_point_before_that_is_damaged_does_not_stop_the_next(tiny: Machine, vault: Vault, tmp_path: Path) -> None:
    session.run(tiny)
    running.create(vault, "tiny")
    write(f"-P 5 {CHUNK} {CHUNK}")
    for pack in (tmp_path / "vault").rglob("*"):
        if pack.is_file() and "pack" in str(pack.parent.relative_to(tmp_path / "vault")):
            content = bytearray(pack.read_bytes())
            content[: len(content) // 2] = bytes(len(content) // 2)
            pack.chmod(0o644)
            pack.write_bytes(content)
    fresh = Vault.open(FolderPlace(tmp_path / "vault"))
    point = running.create(fresh, "tiny", freeze=False)
    assert point.number == 2


def test_vaults_do_not_take_each_others_records(tiny: Machine, vault: Vault, tmp_path: Path) -> None:
    other = Vault.create(FolderPlace(tmp_path / "other"))
    session.run(tiny)
    running.create(vault, "tiny")
    write(f"-P 5 {CHUNK} {CHUNK}")
    running.create(other, "tiny")
    write(f"-P 6 {3 * CHUNK} {CHUNK}")
    expected = as_stopped(tmp_path)
    for each, read in ((vault, 2 * CHUNK), (other, CHUNK)):
        point = running.create(each, "tiny", freeze=False)
        assert (point.read, point.notes) == (read, ())
        assert whole(each, point) == expected


def test_machine_that_does_not_run_is_no_running_machine(tiny: Machine, vault: Vault) -> None:
    session.run(tiny)
    session.stop("tiny", within=0)
    with pytest.raises(MachineError):
        running.create(vault, "tiny")
    assert points.newest(vault, "tiny") is None
    assert disks.virtual_size(places_of("tiny").disk, form="qcow2") == SIZE
