"""PCI devices of this host that a machine has for itself (VFIO): what may be passed on, and taking it from its driver.

    passed = prepare(machine.devices, memory=512 << 20)     # Passed(devices, keeper), or an error that says why not
    passed.give_back()                                      # once QEMU has ended

An IOMMU keeps a device to the memory of its machine. It tells devices apart by group, so a group goes to one machine
as a whole: each other device in it must be the machine's too, a bridge, or without a driver. Who has a device's group
open has the device; so the group's file in /dev/vfio is all that QEMU needs of this host, and an ordinary user too.

A device that is taken from its driver goes back when the machine has ended. That is done by a shell of its own, which
waits for the end of a pipe: it comes however the supervisor ends.
Source: Linux, Documentation/driver-api/vfio.rst, Documentation/ABI/testing/sysfs-bus-pci; drivers/vfio/vfio_main.c.
"""

import contextlib
import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import HostError, InputError, MachineError
from jeos.core.run import spawn
from jeos.model.machine import Device

SYS, VFIO, MOUNTS = Path("/sys"), Path("/dev/vfio"), Path("/proc/self/mountinfo")
CONTAINER = "vfio"  # beside the groups in /dev/vfio: the file through which memory is given to devices
DRIVER = "vfio-pci"
HARMLESS = ("", DRIVER, "pci-stub", "pcieport")  # drivers in a group that is passed on; Linux, vfio_main.c
BRIDGE = 0x06  # the class of bridges, PCI Code and ID Assignment Specification, 1.7
BESIDE = 256 << 20  # bytes that are locked beside the guest's memory: firmware, and video memory
GIVE_BACK_SECONDS = 10.0  # that a driver may take to get its device going again
IOMMU_HINT = "switch VT-d or AMD-Vi on in the firmware's setup, and intel_iommu=on on Intel's kernel command line"

# Pairs of words: an address, and the driver that it goes back to, or "-". It must not end with the terminal.
GIVE_BACK = """
trap '' HUP INT TERM
read -r end
while [ $# -gt 1 ]; do
    echo > "/sys/bus/pci/devices/$1/driver_override"
    echo "$1" > "/sys/bus/pci/drivers/vfio-pci/unbind"
    [ "$2" = - ] || echo "$1" > "/sys/bus/pci/drivers/$2/bind"
    shift 2
done
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A PCI device of this host; `group` is its IOMMU group, None without an IOMMU, `driver` "" without one.

    `kind` is its class of device, 24 bits; `model` vendor and device, as "8086:2922".
    """

    address: str
    group: int | None
    driver: str
    kind: int
    model: str

    @property
    def is_bridge(self) -> bool:
        """Tell whether it leads to others, and has nothing that it could do to memory of its own accord."""
        return self.kind >> 16 == BRIDGE

    def __str__(self) -> str:
        return f"{self.address} ({self.model}, {f'driver {self.driver}' if self.driver else 'no driver'})"


@dataclass(slots=True)
class Passed:
    """Devices that a machine has, and what gives them back, if that is to be: a process, and a pipe that it reads."""

    devices: tuple[Found, ...]
    keeper: "subprocess.Popen[bytes] | None" = None
    pipe: int = -1

    def give_back(self) -> None:
        """Let the devices' drivers have them again; QEMU must have ended. Nothing happens the second time."""
        if self.keeper is None:
            return
        os.close(self.pipe)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it goes on without us
            self.keeper.wait(GIVE_BACK_SECONDS)
        self.keeper = None


def look(address: str, *, sys: Path = SYS) -> Found:
    """Return a device of this host. Raises InputError if there is none at this address."""
    folder = _folder(address, sys)
    if not folder.is_dir():
        raise InputError(f"this host has no PCI device {address}", hint="`ls /sys/bus/pci/devices` lists them")
    group, driver = folder / "iommu_group", folder / "driver"
    vendor, device = (int((folder / name).read_text(), 16) for name in ("vendor", "device"))
    return Found(
        address=address,
        group=int(group.readlink().name) if group.is_symlink() else None,
        driver=driver.readlink().name if driver.is_symlink() else "",
        kind=int((folder / "class").read_text(), 16),
        model=f"{vendor:04x}:{device:04x}",
    )


def members(group: int, *, sys: Path = SYS) -> tuple[Found, ...]:
    """Return the devices of an IOMMU group."""
    names = sorted(path.name for path in (sys / f"kernel/iommu_groups/{group}/devices").iterdir())
    return tuple(look(name, sys=sys) for name in names)


def bound(*, sys: Path = SYS) -> tuple[Found, ...]:
    """Return the devices that wait for machines, or are in one."""
    folder = sys / "bus/pci/drivers" / DRIVER
    names = sorted(path.name for path in folder.iterdir() if path.name.count(":") == 2) if folder.is_dir() else []
    return tuple(look(name, sys=sys) for name in names)


def check(found: Found, *, group: Iterable[Found], wanted: Sequence[str]) -> None:
    """Raise HostError if a device cannot be passed to a machine that is to have those that are `wanted`."""
    if found.is_bridge:
        raise HostError(f"{found} is a bridge, which no machine can have", hint="pass what is behind it")
    others = [one for one in group if one.address not in wanted]
    in_the_way = [one for one in others if one.driver not in HARMLESS]
    if in_the_way:
        words = ", ".join(map(str, in_the_way))
        raise HostError(
            f"{found.address} shares IOMMU group {found.group} with {words}: the machine must have all of it",
            hint="pass each of them with a --device of its own, or take it from its driver; another slot may help",
        )


def in_use(address: str, *, sys: Path = SYS, mounts: Path = MOUNTS) -> str:
    """Return what this host does with a device, "" for nothing: a disk that is mounted, a network that is up."""
    folder = _folder(address, sys).resolve()
    mounted = {line.split()[2] for line in mounts.read_text().splitlines()}
    for number in sorted(folder.glob("**/dev")):
        if number.is_file() and number.read_text().strip() in mounted:
            return f"{number.parent.name} is mounted"
    for holder in sorted(folder.glob("**/holders/*")):
        return f"{holder.parent.parent.name} is part of {holder.name}"
    for state in sorted(folder.glob("**/net/*/operstate")):
        if state.read_text().strip() == "up":
            return f"the network {state.parent.name} is up"
    return ""


def prepare(
    devices: Sequence[Device],
    *,
    memory: int,
    sys: Path = SYS,
    vfio: Path = VFIO,
    mounts: Path = MOUNTS,
    write: Callable[[Path, str], object] = Path.write_text,
) -> Passed:
    """Check that devices can be passed to a machine, and take those from their drivers for which that is asked.

    The guest's `memory` (bytes) may be locked from then on by what this process starts.
    Raises InputError for a device that there is not, HostError for what this host lacks, MachineError for a device that
    another machine has.
    """
    wanted = [device.address for device in devices]
    found = tuple(look(address, sys=sys) for address in wanted)
    for one in found:
        if one.group is None:
            raise HostError(f"{one.address} is behind no IOMMU, so no machine can have it", hint=IOMMU_HINT)
        check(one, group=members(one.group, sys=sys), wanted=wanted)
    to_bind = [one for one, device in zip(found, devices, strict=True) if device.bind and one.driver != DRIVER]
    for one in found:
        if one.driver != DRIVER and one not in to_bind:
            raise HostError(
                f"{one} is not with {DRIVER}",
                hint=f"as root, jeos run --device {one.address},bind takes it for a while",
            )
    passed = Passed(found)
    allow_locking(memory)
    if to_bind:
        _check_binding(to_bind, sys=sys, mounts=mounts)
        passed = _keep(found, to_bind)
    try:
        for one in to_bind:
            _bind(one, sys=sys, write=write)
        for group in sorted({one.group for one in found if one.group is not None}):
            _check_group(vfio / str(group), [one.address for one in found if one.group == group])
    except BaseException:
        passed.give_back()
        raise
    return passed


def allow_locking(memory: int) -> None:
    """Let this process, and what it starts, lock a guest's memory of so many bytes. Raises HostError if it may not."""
    wanted = memory + BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = hard if hard == resource.RLIM_INFINITY or hard >= wanted else wanted
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (wanted, most))
    except (OSError, ValueError):
        raise HostError(
            f"a machine with a device locks its memory: {wanted >> 20} MiB, and you may lock {hard >> 20} MiB",
            hint=f"a line in /etc/security/limits.d: YOU hard memlock {wanted >> 10}, then log in anew; or be root",
        ) from None


def files_of(found: Found, *, sys: Path = SYS, vfio: Path = VFIO) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return what QEMU reads to find a device, and the files of the device itself."""
    folder = _folder(found.address, sys)
    return (folder, folder.resolve()), (vfio / CONTAINER, vfio / str(found.group))


def _folder(address: str, sys: Path) -> Path:
    return sys / "bus/pci/devices" / address


def _check_binding(devices: Sequence[Found], *, sys: Path, mounts: Path) -> None:
    if os.geteuid() != 0:
        raise HostError(
            f"only root may take {devices[0].address} from its driver", hint=f"bind it to {DRIVER} first, see the guide"
        )
    if not (sys / "bus/pci/drivers" / DRIVER).is_dir():
        raise HostError(f"the driver {DRIVER} is not loaded", hint=f"sudo modprobe {DRIVER}")
    for one in devices:
        why = in_use(one.address, sys=sys, mounts=mounts)
        if why:
            raise HostError(f"this host uses {one}: {why}", hint="unmount it, or take it down, first")


def _keep(found: tuple[Found, ...], bound: Sequence[Found]) -> Passed:
    """Start what gives devices back to their drivers, before they are taken."""
    reading, writing = os.pipe()
    try:
        words = [word for one in bound for word in (one.address, one.driver or "-")]
        null = subprocess.DEVNULL
        keeper = spawn(["sh", "-c", GIVE_BACK, "sh", *words], stdin=reading, stdout=null, stderr=null, survives=True)
    finally:
        os.close(reading)
    return Passed(found, keeper, writing)


def _bind(one: Found, *, sys: Path, write: Callable[[Path, str], object]) -> None:
    folder = _folder(one.address, sys)
    try:
        write(folder / "driver_override", DRIVER)
        if one.driver:
            write(folder / "driver/unbind", one.address)
        write(sys / "bus/pci/drivers_probe", one.address)
    except OSError as error:
        raise HostError(f"{one} cannot be taken: {error.strerror}", hint="see dmesg") from None
    if look(one.address, sys=sys).driver != DRIVER:
        raise HostError(f"{one} does not go to {DRIVER}", hint="see dmesg")


def _check_group(place: Path, addresses: Sequence[str]) -> None:
    """Raise if a group cannot be opened; the kernel opens it for one at a time."""
    try:
        os.close(os.open(place, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        words = " and ".join(addresses)
        if error.errno == errno.EBUSY:
            raise MachineError(f"another machine has {words}", hint="`jeos ls --json` shows which") from None
        hint = f"sudo chown $USER {place}" if error.errno == errno.EACCES else "see dmesg"
        raise HostError(f"{words} cannot be used: {place}: {error.strerror}", hint=hint) from None


def lines(found: Iterable[Found]) -> Iterator[str]:
    """Yield devices in short, with their groups."""
    for one in found:
        yield f"{one.address} (group {one.group})"
