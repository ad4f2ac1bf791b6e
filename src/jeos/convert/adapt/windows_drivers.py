"""Lay the virtio drivers ready in Windows, which installs them at its first start, and keep its network addresses.

The new network card is another device to Windows: it comes up without the old one's addresses. A script gives it these
when the driver is installed (`first_boot`). The drivers' folders are also added to the path in which Plug and Play
looks, so that cards and disks are found before any script runs.
"""

from collections.abc import Iterable, Iterator

from jeos.convert import first_boot, virtio_win, windows
from jeos.convert.changes import Change, Fix, Registry, Write
from jeos.convert.first_boot import FOLDER
from jeos.convert.machine import Machine, Options
from jeos.convert.windows import CONFIG, Address, Windows
from jeos.disk.hive_edit import Keys, expanded

NAME = "windows-drivers"
TITLE = "virtio drivers and network addresses at Windows's first start"
ORDER = 230

_SETTINGS = "Microsoft\\Windows\\CurrentVersion"
_PATH = "DevicePath"
_MARK = f"{FOLDER}/first-boot.cmd"


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the drivers' files, the script and the service that runs it."""
    found = windows.ready(machine.root) if machine.system.family == "windows" else None
    if found is None or "virtio" not in options.hosts or machine.root.exists(_MARK):
        return None
    changes: list[Change] = []
    notes: list[str] = []
    cannot: list[str] = []
    names: list[str] = []
    if options.virtio_win is None:
        cannot.append(
            "no virtio drivers were given (--virtio-win ISO): give the machine an e1000e network card, for which "
            "Windows has a driver"
        )
    else:
        with virtio_win.open_disc(options.virtio_win) as disc:
            for name in (*virtio_win.STORAGE, *virtio_win.OTHERS):
                files = disc.driver(name, found)
                if files:
                    names.append(name)
                    changes += [Write(f"{FOLDER}/drivers/{name}/{file}", data) for file, data in files.items()]
            agent = disc.agent(found)
        if names:
            changes.append(Registry(f"{CONFIG}/SOFTWARE", (_device_path(machine, names),)))
            notes.append(f"at the first start Windows installs {', '.join(names)}")
        if "NetKVM" not in names:
            cannot.append(
                f"the disc has no NetKVM for {found.title} ({found.architecture}): use an e1000e network card"
            )
        if agent:
            changes.append(Write(f"{FOLDER}/qemu-ga.msi", agent))
            notes.append("at the first start Windows installs QEMU's guest agent")
    changes += _network(found, options, notes)
    if not changes:
        return Fix(NAME, TITLE, cannot=tuple(cannot))
    changes.append(Write(_MARK, first_boot.command_script()))
    changes.append(Registry(f"{CONFIG}/SYSTEM", (first_boot.service_keys(found.control_set),)))
    notes.append(
        "what is done at the first start could not be tried here; Windows\\jeos\\first-boot.log tells how it went"
    )
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes), cannot=tuple(cannot))


def _device_path(machine: Machine, names: Iterable[str]) -> Keys:
    """Return the path in which Plug and Play looks for drivers, with the new folders at its end."""
    key = windows.open_hive(machine.root, "SOFTWARE").key(_SETTINGS)
    before = (key.text(_PATH) if key else "") or "%SystemRoot%\\inf"
    folders = [f"%SystemRoot%\\jeos\\drivers\\{name}" for name in names]
    return Keys(_SETTINGS, (expanded(_PATH, ";".join([before, *folders])),))


def _network(found: Windows, options: Options, notes: list[str]) -> Iterator[Change]:
    """Yield the script that sets the static addresses, where there are any, and note what it goes by."""
    static = [address for address in found.addresses if address.addresses]
    if not static:
        return
    macs = list(_macs(static, found.addresses, options.macs))
    yield Write(f"{FOLDER}/network.ps1", first_boot.network_script(static, macs=macs))
    for address, mac in zip(static, macs, strict=True):
        where = f"the card with the address {mac}" if mac else "a network card, in their order"
        notes.append(f"{address.name or address.guid}: {', '.join(address.addresses)} go to {where}")


def _macs(static: Iterable[Address], every: Iterable[Address], macs: tuple[str, ...]) -> Iterator[str]:
    """Yield each interface's MAC where it is sure: Windows stores one only if it was set there.

    A machine with a single card is the other sure case.
    """
    alone = macs[0] if len(macs) == 1 and len(list(every)) == 1 else ""
    for address in static:
        yield address.mac or alone
