"""Windows, as its registry says: see `jeos.convert.windows` for all that is read there."""

from jeos.convert import windows
from jeos.convert.survey import Boot, Interface, System, Tool
from jeos.convert.systems import Place, boot
from jeos.core.errors import InputError
from jeos.disk.root import Mounted, Root

_HIVE = f"{windows.CONFIG}/SYSTEM"
ESP = "efi"  # where fixes look for the EFI system partition


def recognise(root: Root) -> bool:
    """Tell whether a Windows installation is in these files."""
    return root.find("").mounted.filesystem.kind == "ntfs" and windows.is_installed(root)


def files(place: Place, *, notes: list[str]) -> Root:
    """Return the files of the system drive and the EFI system partition."""
    return _root(place)


def describe(place: Place) -> tuple[System, Root]:
    """Return what the system is, and its files: those of its system drive."""
    root = _root(place)
    try:
        said = windows.read(root)
    except InputError as error:
        return _unread(place, error), root
    if said is None:
        raise InputError("there is no Windows in these files")
    major, minor = said.version
    return System(
        family="windows",
        volume=place.mounted.volume,
        id="windows",
        name=said.title,
        version=f"{major}.{minor}.{said.build[0]}.{said.build[1]}",
        pretty=said.title,
        architecture=said.architecture,
        hostname=said.hostname,
        boot=_boot(place, root),
        interfaces=tuple(
            Interface(item.name, "windows", _HIVE, item.mac, item.addresses, item.gateways, item.dhcp)
            for item in said.addresses
        ),
        tools=tuple(_tools(said)),
        notes=(*said.problems, *said.warnings),
    ), root


def _root(place: Place) -> Root:
    """Return the files of the system drive, with the EFI system partition in a folder that Windows does not show."""
    mounts = [place.mounted]
    for volume in place.survey.volumes:
        filesystem = place.filesystems.get(volume.name)
        if volume.type in boot.ESP_TYPES and filesystem is not None:
            mounts.append(Mounted(ESP, filesystem, volume=volume.name))
            break
    return Root(mounts)


def _unread(place: Place, error: InputError) -> System:
    """Return what is known of a Windows whose registry cannot be read."""
    notes = (f"its registry cannot be read: {error.message}",)
    return System(family="windows", volume=place.mounted.volume, id="windows", name="Windows", notes=notes)


def _boot(place: Place, root: Root) -> Boot:
    return boot.read(root, place, ())


def _tools(said: windows.Windows) -> list[Tool]:
    found: dict[str, Tool] = {}
    for service, (name, host) in windows.TOOLS.items():
        if service in said.services:
            units = (*(found[name].units if name in found else ()),)
            started = (service,) if said.services[service] != windows.DISABLED else ()
            found[name] = Tool(name, host, _HIVE, (*units, *started))
    return list(found.values())
