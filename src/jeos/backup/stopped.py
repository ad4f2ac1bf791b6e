"""Backing up what nothing writes to: disk files, and the disks of a machine that is stopped.

point = of_files(vault, ["old-server.raw"], owner="old-server")
point = of_machine(vault, "web01")
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from jeos.backup import points
from jeos.backup.create import Progress, Source, create
from jeos.core.errors import InputError, MachineError
from jeos.disk.formats import open_disk
from jeos.model.machine import Boot, Machine, machine_text
from jeos.model.snapshot import Consistency, Point
from jeos.store.vault import Vault
from jeos.vm import disks, session
from jeos.vm.nodes import node
from jeos.vm.places import Places, claim, places_of

_PACKAGES = (".ova", ".ovf")


def of_files(
    vault: Vault,
    paths: Sequence[Path],
    *,
    owner: str = "",
    format: str = "",
    progress: Progress | None = None,
) -> Point:
    """Make a point of the disks of one machine, in any format that is read, in their order.

    `owner` is the name that its points have, "" takes that of the first file. Raises InputError for what is no disk.
    """
    owner = points.owner_name(owner or paths[0].name.removesuffix(paths[0].suffix) or paths[0].name)
    with ExitStack() as stack:
        sources = []
        for number, path in enumerate(paths):
            if path.suffix.lower() in _PACKAGES:
                raise InputError(
                    f"{path} is a package of disks, not a disk",
                    hint=f"jeos convert {path} --no-fixes -o disk.qcow2 takes the disk out of it",
                )
            disk = stack.enter_context(open_disk(path, format=format))
            sources.append(Source(node(number), disk.format, disk))
        return create(vault, sources, owner=owner, consistency=Consistency.STOPPED, progress=progress)


def of_machine(vault: Vault, name: str, *, progress: Progress | None = None) -> Point:
    """Make a point of a machine that is stopped, and stays so meanwhile. Raises MachineError if it is in use."""
    machine = session.seen(name).machine
    places = places_of(name)
    if machine.supply:
        raise MachineError(
            f"the disks of {name} still lie in the backup that it was started from",
            hint=f"let it run until it has them all: jeos run {name} --detach",
        )
    descriptor = claim(places)
    try:
        disks.check_base(machine)
        with ExitStack() as stack:
            sources = []
            for number, path in enumerate(paths_of(machine, places)):
                # It lies over the image that was built, wherever that is, as jeos itself wrote it there.
                disk = stack.enter_context(open_disk(path, format="qcow2", anywhere=True))
                sources.append(Source(node(number), "qcow2", disk))
            return create(
                vault,
                sources,
                owner=points.owner_name(name),
                consistency=Consistency.STOPPED,
                machine=machine_text(machine),
                nvram=places.nvram.read_bytes() if machine.boot is Boot.FIRMWARE and places.nvram.exists() else b"",
                progress=progress,
            )
    finally:
        os.close(descriptor)


def paths_of(machine: Machine, places: Places) -> list[Path]:
    """Return the files of a machine's own disks, in their order."""
    return [places.disk, *(places.other_disk(number) for number in range(len(machine.other_disks)))]
