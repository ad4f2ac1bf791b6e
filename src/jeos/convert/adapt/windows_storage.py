"""Put the drivers of virtio disks into Windows, so that it finds its own disk at the first start (no stop 0x7B).

What installing a driver would do is done from outside: the file in System32/drivers, a service that the boot loader
starts, and the devices that it is for. Windows 8 and later look for these in SYSTEM\\DriverDatabase, those before in
Control\\CriticalDeviceDatabase; both are filled. At the first start, Plug and Play finds the same driver on the disk
(`windows-drivers`) and installs it properly.
"""

from collections.abc import Iterator

from jeos.convert import virtio_win, windows
from jeos.convert.changes import Change, Fix, Registry, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.windows import CONFIG, Windows
from jeos.disk.hive import BINARY, Value
from jeos.disk.hive_edit import Keys, expanded, number, text, texts

NAME = "windows-storage"
TITLE = "drivers for virtio disks in Windows"
ORDER = 220

_CLASS = "{4D36E97B-E325-11CE-BFC1-08002BE10318}"  # SCSIAdapter
_CLASS_BYTES = bytes.fromhex("7be9364d25e3ce11bfc108002be10318")  # the same, as GUIDs are stored

# The PCI devices of each driver: device, subsystem and revision, of virtio's first version and of its present one.
_DEVICES = {
    "viostor": (("1001", "00021AF4", "00"), ("1042", "11001AF4", "01")),
    "vioscsi": (("1004", "00081AF4", "00"), ("1048", "11001AF4", "01")),
}
_RANK = bytes.fromhex("01ff0000")  # of a device that a driver names: its format, and no compatibility in between
# Of a package: its format, the class of its devices; date and version are left at zero, so that any package that is
# installed later is better.
_PACKAGE = bytes.fromhex("00ff090000000000") + _CLASS_BYTES + bytes(24)
_CONFIGURATION = "jeos_configuration"
_PHASES = (
    "start the machine with its disk on SATA instead, where Windows's own driver finds it, add a small second disk on "
    "virtio, install the drivers in Windows, and move the first disk to virtio after that"
)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the drivers' files and what the registry must say of them."""
    found = windows.ready(machine.root) if machine.system.family == "windows" else None
    if found is None or "virtio" not in options.hosts:
        return None
    if all(found.services.get(name) == 0 and _has_file(machine, name) for name in virtio_win.STORAGE):
        return None
    if options.virtio_win is None:
        return Fix(NAME, TITLE, cannot=(f"no virtio drivers were given (--virtio-win ISO): {_PHASES}",))
    changes: list[Change] = []
    notes: list[str] = []
    cannot: list[str] = []
    with virtio_win.open_disc(options.virtio_win) as disc:
        for name in virtio_win.STORAGE:
            if found.services.get(name) == 0 and _has_file(machine, name):
                continue
            driver = disc.driver(name, found).get(f"{name}.sys", b"")
            why = _refusal(name, driver, found)
            if why:
                cannot.append(why)
                continue
            changes.append(Write(f"Windows/System32/drivers/{name}.sys", driver))
            changes.append(Registry(f"{CONFIG}/SYSTEM", tuple(_keys(name, found))))
            notes.append(f"{name}.sys is started by the boot loader, for virtio disks")
    if cannot and not changes:
        cannot.append(_PHASES)
    if changes:
        notes.append(f"that it starts could not be tried without Windows; should it stop with 0x7B, {_PHASES}")
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes), cannot=tuple(cannot))


def _has_file(machine: Machine, name: str) -> bool:
    return machine.root.is_file(f"Windows/System32/drivers/{name}.sys")


def _refusal(name: str, driver: bytes, found: Windows) -> str:
    """Return why a driver cannot be put in, "" if it can."""
    if not driver:
        return f"the disc has no {name} for {found.title} ({found.architecture})"
    if found.architecture != "i386" and not virtio_win.names_microsoft(driver):
        return (
            f"the disc's {name}.sys for {found.title} has no signature of Microsoft's, and would stop the start "
            "(0xc0000428); take a release of virtio-win that was made while this Windows was supported"
        )
    return ""


def _keys(name: str, found: Windows) -> Iterator[Keys]:
    """Yield what the registry must say of a driver."""
    service = f"{found.control_set}\\Services\\{name}"
    yield Keys(
        service,
        (
            number("Type", 1),  # a driver of the kernel's
            number("Start", 0),  # by the boot loader
            number("ErrorControl", 1),
            text("Group", "SCSI miniport"),
            expanded("ImagePath", f"system32\\drivers\\{name}.sys"),
        ),
    )
    yield Keys(f"{service}\\Parameters\\PnpInterface", (number("5", 1),))  # 5: the bus is PCI
    for device in _device_names(name):
        yield Keys(
            f"{found.control_set}\\Control\\CriticalDeviceDatabase\\PCI#{device}",
            (text("Service", name), text("ClassGUID", _CLASS)),
        )
    if found.driver_database:
        yield from _database_keys(name, found)


def _database_keys(name: str, found: Windows) -> Iterator[Keys]:
    """Yield a package in the driver database, under a name that no driver of Windows's or virtio-win's has."""
    inf = f"jeos_{name}.inf"
    package = f"{inf}_{'x86' if found.architecture == 'i386' else found.architecture}_0"
    folder = f"DriverDatabase\\DriverPackages\\{package}"
    yield Keys(
        f"DriverDatabase\\DriverInfFiles\\{inf}",
        (texts("", package), text("Active", package), texts("Configurations", _CONFIGURATION)),
    )
    yield Keys(folder, (Value("Version", BINARY, _PACKAGE),))
    yield Keys(f"{folder}\\Configurations\\{_CONFIGURATION}", (number("ConfigFlags", 0), text("Service", name)))
    for device in _device_names(name):
        yield Keys(f"DriverDatabase\\DeviceIds\\PCI\\{device}", (Value(inf, BINARY, _RANK),))
        yield Keys(f"{folder}\\Descriptors\\PCI\\{device}", (text("Configuration", _CONFIGURATION),))


def _device_names(name: str) -> Iterator[str]:
    """Yield the names of a driver's devices, with their subsystem and without."""
    for device, subsystem, revision in _DEVICES[name]:
        yield f"VEN_1AF4&DEV_{device}&SUBSYS_{subsystem}&REV_{revision}"
        yield f"VEN_1AF4&DEV_{device}&REV_{revision}"
