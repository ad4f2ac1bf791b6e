"""The disks of a machine: an overlay over the built image, so that the image stays clean, and firmware variables."""

import shutil
from pathlib import Path

from jeos.core import files
from jeos.core.errors import MachineError, UsageError
from jeos.core.run import run
from jeos.model.machine import Machine
from jeos.vm.places import Places

MEBIBYTE = 1 << 20


def fingerprint(path: Path) -> str:
    """Return what changes whenever another disk takes the path: inode, size and time of the last change."""
    found = path.stat()
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


def create(machine: Machine, places: Places, *, nvram: Path | None) -> None:
    """Make the machine's disk over its image, and its copy of the firmware's variables (`nvram`).

    The disk is as large as the image, or `machine.disk_size` bytes; raises UsageError if that is smaller.
    """
    base = Path(machine.disk)
    argv: list[str | Path] = ["qemu-img", "create", "-q", "-f", "qcow2"]
    argv += ["-b", base, "-F", machine.disk_format, places.disk]
    if machine.disk_size:
        _check_size(machine, smallest=virtual_size(base, form=machine.disk_format))
        argv.append(str(machine.disk_size))
    run(argv)
    if nvram is not None:
        copy_nvram(nvram, places)


def copy_nvram(template: Path, places: Places) -> None:
    """Give the machine firmware variables as they were when the firmware was made."""
    with template.open("rb") as source, files.replace(places.nvram, mode=0o600, durable=False) as target:
        shutil.copyfileobj(source, target)


def keep(machine: Machine, places: Places, *, before: Machine, nvram: Path | None) -> None:
    """Keep the disk that the machine has had as `before`; let it grow if `machine.disk_size` says so.

    Raises MachineError if the image below it is another one now, UsageError if the disk would have to shrink.
    """
    if (machine.disk, machine.disk_fingerprint) != (before.disk, before.disk_fingerprint):
        raise _other_image(before)
    check_base(machine)
    if machine.disk_size and machine.disk_size != before.disk_size:
        _check_size(machine, smallest=virtual_size(places.disk, form="qcow2"))
        run(["qemu-img", "resize", "-q", "-f", "qcow2", places.disk, str(machine.disk_size)])
    if nvram is not None and not places.nvram.exists():
        copy_nvram(nvram, places)


def check_base(machine: Machine) -> None:
    """Raise MachineError if the image under the machine's disk is gone or is another one than it was."""
    base = Path(machine.disk)
    if not base.exists():
        raise MachineError(f"the image of the machine {machine.name} is gone: {base}", hint="build it again")
    if fingerprint(base) != machine.disk_fingerprint:
        raise _other_image(machine)


def _other_image(machine: Machine) -> MachineError:
    return MachineError(
        f"the image has been built anew since the machine {machine.name} was made, and its disk would not fit",
        hint=f"--fresh starts {machine.name} over with an empty disk, --name makes another machine",
    )


def _check_size(machine: Machine, *, smallest: int) -> None:
    if machine.disk_size < smallest:
        raise UsageError(
            f"a disk of {machine.disk_size // MEBIBYTE} MiB is smaller than what is there, {smallest // MEBIBYTE} MiB",
            hint="leave --disk away, or ask for more",
        )


def virtual_size(path: Path, *, form: str) -> int:
    """Return the bytes that a guest sees of a disk."""
    if form == "raw":
        return path.stat().st_size
    with path.open("rb") as file:
        return int.from_bytes(file.read(32)[24:32], "big")
