"""What to convert: the disks of a machine, wherever they are, and what its description says of its hardware.

    with open_source(["legacy.ova"]) as source:
        source.disks[0].blocks.size
        source.macs                            # ("00:50:56:aa:bb:01",), as the OVF descriptor has them

A source is an OVF package, disk files in any format, block devices, or disks of another machine over ssh. It is opened
for reading only, and nothing is copied.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jeos.core.errors import InputError, UsageError
from jeos.disk import ssh
from jeos.disk.blocks import Blocks, File
from jeos.disk.formats import open_disk

if TYPE_CHECKING:  # loaded where there is a package: it takes longer than to look at a disk
    from jeos.disk import ova
    from jeos.model import ovf

MOST_DISKS = 64
_PACKAGES = (".ova", ".ovf")
_TAR_MAGIC, _TAR_MAGIC_AT, _TAR_BYTES = b"ustar", 257, 512  # POSIX.1-2017, pax, "ustar Interchange Format"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the machine: `name` is what messages call it, `format` what it is in ("ssh" for another host's)."""

    name: str
    format: str
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class Source:
    """A machine that is open for reading; `system` is its description, None where there are only disks.

    `package` is what brought both.
    """

    name: str
    disks: tuple[Disk, ...]
    system: "ovf.System | None" = None
    notes: tuple[str, ...] = ()
    package: "ova.Package | None" = None

    @property
    def macs(self) -> tuple[str, ...]:
        """Return the addresses of the network cards that the description tells, in its order."""
        return tuple(nic.mac for nic in self.system.nics if nic.mac) if self.system else ()


class _Zeros:
    """A disk that is described and has no file: nothing was ever written to it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        """Return zeros."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise InputError(f"the disk has {self.size} bytes")
        return bytes(length)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield nothing."""
        yield from ()


@contextmanager
def open_source(texts: Sequence[str], *, format: str = "", ssh_options: Sequence[str] = ()) -> Iterator[Source]:
    """Open a package, or the disks of one machine in their order, for as long as the block lasts.

    `format` is that of all disk files, "" finds it out. Raises UsageError, InputError or NetworkError.
    """
    if not texts or len(texts) > MOST_DISKS:
        raise UsageError(f"{len(texts)} disks are given", hint=f"a machine has 1 to {MOST_DISKS}")
    with ExitStack() as stack:
        path = Path(texts[0])
        if not texts[0].startswith(ssh.SCHEME) and _is_package(path):
            if len(texts) > 1:
                raise UsageError(f"{path} is a package and brings its disks", hint="give it alone")
            yield _package(path, stack=stack)
            return
        disks = tuple(_disk(text, format=format, ssh_options=ssh_options, stack=stack) for text in texts)
        yield Source(name_of(texts[0]), disks)


def _is_package(path: Path) -> bool:
    """Tell whether a path is an OVF package; what cannot be one is told without the code that reads them."""
    if path.is_file() and path.suffix.lower() not in _PACKAGES:
        with File(path) as file:
            if file.size < _TAR_BYTES or file.read(_TAR_MAGIC_AT, len(_TAR_MAGIC)) != _TAR_MAGIC:
                return False
    from jeos.disk import ova

    return ova.is_package(path)


def name_of(text: str) -> str:
    """Return what a machine is called of which only disks are known: as its host, or its first disk."""
    if text.startswith(ssh.SCHEME):
        host = ssh.parse(text).host
        numeric = ":" in host or host.replace(".", "").isdigit()  # an address, not a name
        return host if numeric else host.partition(".")[0]
    return Path(text).stem


def _disk(text: str, *, format: str, ssh_options: Sequence[str], stack: ExitStack) -> Disk:
    if text.startswith(ssh.SCHEME):
        return Disk(text, "ssh", stack.enter_context(ssh.Ssh(ssh.parse(text), options=ssh_options)))
    path = Path(text)
    if path.is_dir():
        raise InputError(f"{path} is a folder without an OVF descriptor", hint="give the disk's file itself")
    found = stack.enter_context(open_disk(path, format=format))
    return Disk(text, found.format, found)


def _package(path: Path, *, stack: ExitStack) -> Source:
    from jeos.disk import ova

    package = stack.enter_context(ova.open_package(path))
    systems = package.envelope.systems
    if len(systems) != 1:
        names = ", ".join(system.name or system.id for system in systems[:8])
        raise InputError(
            f"{path} describes {len(systems)} machines{': ' if names else ''}{names}",
            hint="export each by itself, or convert its disk files",
        )
    system = systems[0]
    disks: list[Disk] = []
    notes: list[str] = []
    for drive in drives(system):
        disks += _package_disk(package, drive, notes=notes, stack=stack)
    if not disks:
        raise InputError(f"{path} describes a machine without disks", hint="export it with its disks")
    return Source(system.name or path.stem, tuple(disks), system, tuple(notes), package)


def drives(system: "ovf.System") -> "list[ovf.Drive]":
    """Return the drives with disks in the order in which the machine counts them: by controller, then by place."""
    order = {controller.id: number for number, controller in enumerate(system.controllers)}
    found = [drive for drive in system.drives if drive.kind == "disk"]
    return sorted(found, key=lambda drive: (order.get(drive.controller, len(order)), drive.place or 0))


def _package_disk(package: "ova.Package", drive: "ovf.Drive", *, notes: list[str], stack: ExitStack) -> Iterator[Disk]:
    described = package.envelope.disk(drive.disk) if drive.disk else None
    href = ""
    if described is None:
        file = package.envelope.file(drive.file) if drive.file else None
        if file is None:
            notes.append(f"the drive {drive.name or drive.id} has no disk, and is left out")
            return
        href, blocks = file.href, package.open(file.href)
    else:
        kept = package.envelope.file(described.file)
        href, found = kept.href if kept else "", package.open_disk(described)
        if found is None:
            yield Disk(described.id, "empty", _Zeros(described.capacity or 0))
            return
        blocks = found
    disk = stack.enter_context(open_disk(blocks, siblings=package, name=href))
    yield Disk(href, disk.format, disk)
