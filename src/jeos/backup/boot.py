"""Starting a machine from a point: it runs at once, reads what it needs from the vault, and keeps what it writes.

    machine = boot.machine(vault, point, name="web01-restored", supply=["backup", "serve", "--store", …])
    session.run(machine, nvram=boot.nvram(vault, point))

The rest of the disks streams in behind the running guest; then the machine is independent of the vault.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jeos.backup.restored import PointBlocks
from jeos.model.machine import Boot, Machine, OtherDisk, check_name, parse_machine
from jeos.model.snapshot import Point
from jeos.store.vault import Vault

MEMORY = 1024  # MiB, for disks of which nobody knows what their machine had


def machine(vault: Vault, point: Point, *, name: str, supply: Sequence[str], isolated: bool = False) -> Machine:
    """Return the machine that starts from a point; `supply` are the words of the command that exports it.

    It has its own number and network address, and no device of a host, nor a network that was made for one machine; a
    kernel that this host does not have any more is left to the firmware.
    """
    first, *others = point.disks
    before = parse_machine(point.machine, source=point.name) if point.machine else _described(vault, point)
    direct = before.boot is Boot.DIRECT and Path(before.kernel).exists() and Path(before.initrd).exists()
    return replace(
        before,
        name=check_name(name),
        disk="",
        disk_format="raw",
        disk_fingerprint="",
        disk_size=first.manifest.size,
        image=before.image if Path(before.image).is_file() else "",
        boot=before.boot if direct or before.boot is not Boot.DIRECT else Boot.FIRMWARE,
        uuid=str(uuid.uuid4()),
        created=int(time.time()),
        other_disks=tuple(OtherDisk(path="", size=disk.manifest.size) for disk in others),
        forwards=() if isolated else tuple(replace(forward, host=0) for forward in before.forwards),
        supply=tuple(supply),
        isolated=isolated,
        devices=(),
        tap="",
    )


def nvram(vault: Vault, point: Point) -> bytes:
    """Return the firmware's variables as they were; empty where the machine had none."""
    return vault.read(point.nvram) if point.nvram else b""


def _described(vault: Vault, point: Point) -> Machine:
    """Return a machine for bare disks: with the firmware that the first one was made for."""
    from jeos.disk.volumes import firmware  # for few

    disk = PointBlocks(vault, point.disks[0].manifest)
    boot = Boot.BIOS if firmware.wanted(disk) == "bios" else Boot.FIRMWARE
    return Machine(name="machine", disk="", boot=boot, memory=MEMORY)
