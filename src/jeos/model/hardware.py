"""What a foreign machine needs to run, written beside its first disk: `server.machine.json` beside `server.qcow2`.

    {"boot": "bios", "cpus": 2, "disks": ["server-2.qcow2"], "macs": ["00:50:56:9a:00:01"], "memory": 2048}

A conversion writes it, `jeos run` reads it: the disk alone does not say how much memory the machine had, which further
disks belong to it, or which addresses its network cards had, which the system inside knows them by.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from jeos.core.errors import InputError
from jeos.model.machine import Boot

SUFFIX = ".machine.json"
MOST_DISKS = 32
MOST_CARDS = 8
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")  # the second digit is even: a card's own, not a group's


@dataclass(frozen=True, slots=True)
class Hardware:
    """How a machine starts and what it has: `memory` in MiB, `macs` of its network cards in their order.

    `disks` are the files, in the same folder, of the disks after the first one.
    """

    boot: Boot
    memory: int = 1024
    cpus: int = 1
    macs: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()


def place(disk: Path) -> Path:
    """Return where the hardware of the machine with this first disk is written."""
    return disk.with_suffix(SUFFIX)


def text(hardware: Hardware) -> str:
    """Return the hardware as JSON."""
    return json.dumps(asdict(hardware), indent=2, sort_keys=True) + "\n"


def parse(content: str, *, source: str) -> Hardware:
    """Read the hardware from JSON; raises InputError, naming `source`, for what no machine can have."""
    try:
        fields = json.loads(content)
        found = Hardware(
            boot=Boot(fields["boot"]),
            memory=int(fields["memory"]),
            cpus=int(fields["cpus"]),
            macs=tuple(str(mac).lower() for mac in fields["macs"]),
            disks=tuple(str(name) for name in fields["disks"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong(source, f"it does not describe a machine: {error}") from None
    for mac in found.macs:
        if not _MAC.fullmatch(mac):
            raise _wrong(source, f"{mac!r} is not the address of a network card")
    for name in found.disks:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise _wrong(source, f"the disk {name!r} is not a file in its folder")
    if found.memory < 1 or found.cpus < 1 or found.boot is Boot.DIRECT:
        raise _wrong(source, f"{found.memory} MiB, {found.cpus} processors, boot {found.boot}")
    if len(found.disks) > MOST_DISKS or len(found.macs) > MOST_CARDS:
        raise _wrong(source, f"more than {MOST_DISKS} further disks or {MOST_CARDS} network cards")
    return found


def _wrong(source: str, what: str) -> InputError:
    return InputError(f"{source} cannot be used: {what}", hint="convert the machine again, or delete this file")
