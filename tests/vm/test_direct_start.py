"""What a kernel finds in its memory when QEMU hands over to it: ACPI tables that the initrd does not lie over."""

import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.vm.command import Wiring, argv

pytestmark = pytest.mark.vm
PATIENCE = 60  # seconds, for what takes a tenth of one
DSDT, LONG_DSDT = slice(40, 44), slice(140, 148)  # the address of the table of devices: ACPI 6.5, table 5.9


def memory_at_start(folder: Path, *, initrd: int, cpus: int) -> bytes:
    """Start a machine with an initrd of so many bytes, and return its memory once its kernel runs."""
    machine = replace(tiny_guest.machine(folder), cpus=cpus)
    Path(machine.initrd).write_bytes(b"\xee" * initrd)
    disk, ram = folder / "disk.qcow2", folder / "ram"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
    monitor, console = socket.socketpair(), socket.socketpair()
    theirs = [monitor[1].fileno(), console[1].fileno()]
    wiring = Wiring(
        accelerator="tcg",
        tsc_khz=0,
        disk=disk,
        other_disks=(),
        agent=folder / "agent",
        qmp=theirs[0],
        console=theirs[1],
        network="user,id=net",
        ram=ram,
        balloon=False,
    )
    console[0].settimeout(PATIENCE)
    process = subprocess.Popen(argv(machine, wiring), pass_fds=theirs)
    for end in (monitor[1], console[1]):
        end.close()
    try:
        said = b""
        while tiny_guest.GREETING not in said:
            piece = console[0].recv(4096)
            assert piece, "QEMU ended"
            said += piece
        return ram.read_bytes()
    finally:
        process.kill()
        process.wait()
        for end in (monitor[0], console[0]):
            end.close()


def table(memory: bytes, place: int) -> bytes:
    """Return the ACPI table at an address; all its bytes come to nothing."""
    size = int.from_bytes(memory[place + 4 : place + 8], "little")
    found = memory[place : place + size]
    assert size and sum(found) % 256 == 0, f"at {place:#x}: {found[:36]!r}"
    return found


@pytest.mark.parametrize(("initrd", "cpus"), [(1, 1), (641, 1), (4095, 1), (4096, 100), (100_000, 2)])
def test_initrd_leaves_the_acpi_tables_whole(tmp_path: Path, initrd: int, cpus: int) -> None:
    memory = memory_at_start(tmp_path, initrd=initrd, cpus=cpus)
    extended = table(memory, memory.index(b"XSDT"))  # what points there is in the firmware's own memory
    places = [int.from_bytes(extended[at : at + 8], "little") for at in range(36, len(extended), 8)]
    tables = {found[:4]: found for found in (table(memory, place) for place in places)}
    fixed = tables[b"FACP"]
    described = int.from_bytes(fixed[DSDT], "little") or int.from_bytes(fixed[LONG_DSDT], "little")
    assert table(memory, described)[:4] == b"DSDT"
    assert b"APIC" in tables
