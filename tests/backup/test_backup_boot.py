"""Machines that start from a point, with a real QEMU and the real program that exports the point."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.backup import boot, running
from jeos.core.errors import MachineError
from jeos.model.machine import Boot, Machine, Status, parse_machine
from jeos.model.snapshot import Point
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault
from jeos.vm import session
from jeos.vm.places import places_of

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("own_machines")]
MEBIBYTE = 1 << 20
DEADLINE = 120.0  # seconds
CONTENT = random.Random(1).randbytes(3 * MEBIBYTE)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(FolderPlace(tmp_path / "vault"))


@pytest.fixture
def point(vault: Vault, tmp_path: Path) -> Point:
    made = tiny_guest.machine(tmp_path)
    Path(made.disk).write_bytes(CONTENT)
    os.truncate(made.disk, 64 * MEBIBYTE)
    session.run(tiny_guest.machine(tmp_path))
    found = running.create(vault, "tiny")
    session.remove("tiny", force=True)
    Path(made.disk).unlink()
    return found


def booted(vault: Vault, point: Point, tmp_path: Path, *, name: str = "again") -> Machine:
    supply = ["backup", "serve", "--store", str(tmp_path / "vault"), point.name]
    machine = boot.machine(vault, point, name=name, supply=supply)
    session.run(machine)
    return machine


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def stored() -> Machine:
    return parse_machine(places_of("again").machine.read_text(), source="it")


def helpers() -> list[int]:
    """Return the programs that export a point to the machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(places_of("again").supply).encode() in words and b"serve" in words:
                found.append(int(entry.name))
    return found


def said() -> str:
    return places_of("again").console_log.read_text(errors="replace")


def test_machine_runs_at_once_and_then_needs_the_vault_no_more(vault: Vault, point: Point, tmp_path: Path) -> None:
    booted(vault, point, tmp_path)
    until(lambda: "ready" in said())
    assert stored().supply
    assert len(helpers()) == 1
    until(lambda: not stored().supply and not helpers())
    assert session.state("again").status is Status.RUNNING

    shutil.rmtree(tmp_path / "vault")
    session.stop("again", within=0)
    target = tmp_path / "whole.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", places_of("again").disk, target], check=True)
    assert target.read_bytes() == CONTENT + bytes(61 * MEBIBYTE)
    info = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", places_of("again").disk]))
    assert "backing-filename" not in info
    session.run(session.seen("again").machine)
    session.stop("again", within=0)


def test_machine_that_was_stopped_in_between_goes_on(vault: Vault, point: Point, tmp_path: Path) -> None:
    booted(vault, point, tmp_path)
    session.stop("again", within=0)
    until(lambda: not helpers())
    info = json.loads(subprocess.check_output(["qemu-img", "info", "-U", "--output=json", places_of("again").disk]))
    assert info["backing-filename"].startswith("nbd")  # so that nobody takes it for whole
    session.run(session.seen("again").machine)
    until(lambda: not stored().supply and not helpers())
    session.stop("again", within=0)
    target = tmp_path / "whole.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", places_of("again").disk, target], check=True)
    assert target.read_bytes()[: len(CONTENT)] == CONTENT


def test_machine_from_a_point_can_be_backed_up_before_it_is_whole(vault: Vault, point: Point, tmp_path: Path) -> None:
    booted(vault, point, tmp_path)
    second = running.create(vault, "again", freeze=False)
    assert second.disks[0].manifest == point.disks[0].manifest
    assert second.new < 64 << 10


def test_supply_that_does_not_start_says_why(vault: Vault, point: Point, tmp_path: Path) -> None:
    machine = boot.machine(vault, point, name="again", supply=["backup", "serve", "--store", "/nowhere", point.name])
    with pytest.raises(MachineError, match="/nowhere"):
        session.run(machine)
    assert session.existing("again") is None
    assert helpers() == []


def test_killed_supervisor_leaves_no_supply(vault: Vault, point: Point, tmp_path: Path) -> None:
    booted(vault, point, tmp_path)
    assert len(helpers()) == 1
    os.kill(session.state("again").supervisor, signal.SIGKILL)
    until(lambda: not helpers())


def test_machine_of_a_point_is_another_one_with_the_same_settings(vault: Vault, point: Point) -> None:
    made = boot.machine(vault, point, name="again", supply=["x"])
    before = parse_machine(point.machine, source="it")
    assert made.uuid != before.uuid
    assert replace(made, uuid=before.uuid, created=0) == replace(
        before, name="again", disk="", disk_fingerprint="", disk_size=64 * MEBIBYTE, supply=("x",)
    )
    Path(before.kernel).unlink()
    assert boot.machine(vault, point, name="again", supply=["x"]).boot is Boot.FIRMWARE
