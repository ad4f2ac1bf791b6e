"""What a machine's QEMU may touch of this host: a value, which is decided from the machine and its wiring alone.

    fence = fence_of(machine, places, wiring, program=Path("/usr/bin/qemu-system-x86_64"))
    fence.write         # the machine's own disks, and nothing else that lasts

Whoever has taken over QEMU must not reach more. So the files that say what a machine is (`machine.json`) and the socket
on which its supervisor takes orders are not among these: they would lead outside.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jeos.model.machine import Machine
from jeos.model.saved import Start, parse_saved
from jeos.vm.accelerator import DEVICE as KVM_DEVICE
from jeos.vm.command import Wiring
from jeos.vm.network import SLIRP
from jeos.vm.passt import RESOLVER
from jeos.vm.places import Places, over_template
from jeos.vm.saved_files import ABOUT

# Where distributions keep programs, libraries and firmware; those that are there are taken.
SYSTEM = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")))
LOADER_CACHE = Path("/etc/ld.so.cache")  # ld.so(8)
PROCESSES = 1024  # threads and processes of one machine; QEMU has one for each processor and some dozens for its disks
DEVICES = tuple(map(Path, ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")))
# From here on QEMU opens a memory file for reading where it may not write to it, if its changes are its own; earlier
# ones give up. Source: QEMU, system/physmem.c, file_ram_open and its callers.
READS_PRIVATE_MEMORY = (8, 2)


@dataclass(frozen=True, slots=True)
class Fence:
    """What a program may touch; paths are absolute, and what is not there is left out when the fence is put up.

    `read` are files and folders that it may read, `write` files that it may also write, `rooms` folders in which it may
    make and remove files and sockets. `trees` are folders of the user's own choice with all that is in them, of which
    those in `read_only` may only be read. `network` tells whether it needs the host's network, `own_proc` whether
    its own processes in /proc: QEMU changes the rights of a file that it serves by its number there.
    """

    program: Path
    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    rooms: tuple[Path, ...] = ()
    trees: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = DEVICES
    network: bool = False
    own_proc: bool = False


def fence_of(
    machine: Machine, places: Places, wiring: Wiring, *, program: Path, network: str, start: Start | None = None
) -> Fence:
    """Return what the QEMU of a machine may touch, whose network is of the kind `network`."""
    # Cards beside the first are always at QEMU's own router.
    own = not machine.isolated and (network == SLIRP or len(machine.macs) > 1)
    read = [*SYSTEM, LOADER_CACHE, *_resolver(own), *images(machine), *(one.path for one in wiring.credentials)]
    read += [Path(path) for path in (machine.kernel, machine.initrd) if path]
    read += [wiring.firmware.code] if wiring.firmware else []
    write = [wiring.disk, *wiring.other_disks, *([wiring.nvram] if wiring.nvram else [])]
    if wiring.ram is not None:
        may_read = wiring.ram_private and start is not None and _version(start.qemu) >= READS_PRIVATE_MEMORY
        (read if may_read else write).append(wiring.ram)
    read += [path for device in wiring.devices for path in device.about]
    kvm = (KVM_DEVICE,) if wiring.accelerator == "kvm" else ()
    passed = dict.fromkeys(path for device in wiring.devices for path in device.files)
    return Fence(
        program=program,
        read=tuple(path.absolute() for path in read),
        write=tuple(path.absolute() for path in write),
        trees=tuple(Path(share.path) for share in wiring.folders),
        read_only=tuple(Path(share.path) for share in wiring.folders if share.read_only),
        rooms=(places.work.absolute(), places.inside.absolute()),
        devices=(*DEVICES, *kvm, *passed),
        network=own,
        own_proc=bool(wiring.folders),
    )


def images(machine: Machine) -> Iterator[Path]:
    """Yield the images under a machine's disks, and those under a template's that they are.

    The descriptions say so. What the disks themselves say is the word of a guest that may have got into QEMU.
    """
    while True:
        yield from (Path(path) for path in (machine.disk, *(other.path for other in machine.other_disks)) if path)
        if not over_template(machine):
            return
        about = Path(machine.disk).parent / ABOUT
        machine = parse_saved(about.read_text(), source=str(about)).machine


def _resolver(own: bool) -> list[Path]:
    """Return where the host's name servers are written; the folder, where a link leads there: it is written anew."""
    if not own:
        return []
    target = RESOLVER.resolve()
    elsewhere = RESOLVER.is_symlink() and target.parent.is_relative_to("/run")
    return [RESOLVER, target.parent if elsewhere else target]


def _version(text: str) -> tuple[int, int]:
    """Return the first two numbers of a version such as "7.2.22 (Debian …)"."""
    words = text.split(".")
    try:
        return int(words[0]), int(words[1])
    except (ValueError, IndexError):
        return (0, 0)
