"""The disks of a machine: an overlay over the built image, so that the image stays clean, and firmware variables."""

import shutil
from pathlib import Path

from jeos.core import files
from jeos.core.errors import MachineError, UsageError
from jeos.core.run import run
from jeos.model.machine import Machine
from jeos.vm.nodes import node
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
    if machine.supply:
        _lay_over_supply(machine, places)
    else:
        _lay_over_images(machine, places)
    if nvram is not None:
        copy_nvram(nvram, places)


def _lay_over_images(machine: Machine, places: Places) -> None:
    base = Path(machine.disk)
    if not machine.disk:
        raise UsageError(
            f"the machine {machine.name} came from a backup, and has no image to start over from",
            hint="leave --fresh away, or take a point again: jeos backup boot",
        )
    if machine.disk_size:
        _check_size(machine, smallest=virtual_size(base, form=machine.disk_format))
    _lay_over(base, form=machine.disk_format, overlay=places.disk, size=machine.disk_size)
    for number, other in enumerate(machine.other_disks):
        _lay_over(Path(other.path), form=other.format, overlay=places.other_disk(number))


def _lay_over_supply(machine: Machine, places: Places) -> None:
    """Make the disks over what will be exported to them: nothing is there yet to open (-u).

    The file says what it lies over, although QEMU is told, so that nobody takes it for whole before it is.
    """
    from urllib.parse import quote  # for few

    sizes = (machine.disk_size, *(other.size for other in machine.other_disks))
    overlays = (places.disk, *(places.other_disk(number) for number in range(len(machine.other_disks))))
    for number, (size, overlay) in enumerate(zip(sizes, overlays, strict=True)):
        base = f"nbd+unix:///{node(number)}?socket={quote(str(places.supply))}"
        run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", base, "-F", "raw", overlay, str(size)])


def _lay_over(base: Path, *, form: str, overlay: Path, size: int = 0) -> None:
    argv: list[str | Path] = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", form, overlay]
    run([*argv, str(size)] if size else argv)


def copy_nvram(template: Path, places: Places) -> None:
    """Give the machine firmware variables as they were when the firmware was made."""
    with template.open("rb") as source, files.replace(places.nvram, mode=0o600, durable=False) as target:
        shutil.copyfileobj(source, target)


def keep(machine: Machine, places: Places, *, before: Machine, nvram: Path | None) -> None:
    """Keep the disk that the machine has had as `before`; let it grow if `machine.disk_size` says so.

    Raises MachineError if the image below it is another one now, UsageError if the disk would have to shrink.
    """
    if _bases(machine) != _bases(before):
        raise _other_image(before)
    check_base(machine)
    if machine.disk_size and machine.disk_size != before.disk_size:
        _check_size(machine, smallest=virtual_size(places.disk, form="qcow2"))
        run(["qemu-img", "resize", "-q", "-f", "qcow2", places.disk, str(machine.disk_size)])
    if nvram is not None and not places.nvram.exists():
        copy_nvram(nvram, places)


def check_base(machine: Machine) -> None:
    """Raise MachineError if an image under the machine's disks is gone or is another one than it was."""
    for path, known in _bases(machine):
        if not path:  # it came from a backup
            continue
        if not Path(path).exists():
            raise MachineError(f"the image of the machine {machine.name} is gone: {path}", hint="build it again")
        if fingerprint(Path(path)) != known:
            raise _other_image(machine)


def images(machine: Machine, places: Places) -> list[Path]:
    """Return the files that a machine's disks are read from: its own, and those under them."""
    own = [places.disk, *(places.other_disk(number) for number in range(len(machine.other_disks)))]
    return [*own, *(Path(path) for path, _ in _bases(machine) if path)]


def _bases(machine: Machine) -> tuple[tuple[str, str], ...]:
    others = ((disk.path, disk.fingerprint) for disk in machine.other_disks)
    return ((machine.disk, machine.disk_fingerprint), *others)


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
