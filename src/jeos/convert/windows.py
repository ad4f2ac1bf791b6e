"""What a Windows installation says of itself: read from its registry, without starting anything.

    windows = read(root)                   # None where there is no Windows
    windows.title, windows.build           # "Windows Server 2022 Standard", (20348, 2113)
    windows.services["pvscsi"]             # 0: started by the boot loader

The registry's hives lie in Windows/System32/config. "The control set" is the copy of the settings that the next start
uses (SYSTEM\\Select\\Default).
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field

from jeos.core.errors import InputError
from jeos.disk.filesystems.contents import Contents
from jeos.disk.filesystems.ntfs import Ntfs
from jeos.disk.hive import Hive, Key
from jeos.disk.root import Root

CONFIG = "Windows/System32/config"
FOLDER = "Windows"
WINDOWS_11 = 22000  # its first build; it still calls itself Windows 10
NETWORK_CLASS = "{4D36E972-E325-11CE-BFC1-08002BE10318}"  # of network cards, as of all versions of Windows

# Drivers that decide whether the machine finds its disk and network, and services of hypervisors, by the host's kind.
DRIVERS = {
    "virtio": ("viostor", "vioscsi", "netkvm"),
    "vmware": ("pvscsi", "vmxnet3ndis6", "vmxnet3", "LSI_SAS", "LSI_SCSI", "vmci"),
    "hyperv": ("vmbus", "storvsc", "netvsc"),
    "xen": ("xenvbd", "xennet"),
    "generic": ("storahci", "msahci", "intelide", "atapi", "stornvme", "e1iexpress", "E1G60"),
}
TOOLS = {
    "VMTools": ("VMware Tools", "vmware"),
    "VGAuthService": ("VMware Tools' guest authentication", "vmware"),
    "vm3dservice": ("VMware Tools' display", "vmware"),
    "VMwareCAFCommAmqpListener": ("VMware Tools' common agent", "vmware"),
    "VMwareCAFManagementAgentHost": ("VMware Tools' common agent", "vmware"),
    "VBoxService": ("VirtualBox's guest additions", "virtualbox"),
    "VBoxGuest": ("VirtualBox's guest additions", "virtualbox"),
    "xenagent": ("Xen's guest agent", "xen"),
    "QEMU-GA": ("QEMU's guest agent", "qemu"),
}
NO_ADDRESS = str(ipaddress.IPv4Address(0))
DISABLED = 4  # how a service is started that is not


@dataclass(frozen=True, slots=True)
class Address:
    """A network interface with its settings; `addresses` carry their prefix ("192.0.2.7/24")."""

    guid: str
    name: str = ""
    mac: str = ""
    dhcp: bool = True
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Windows:
    """An installation. `version` is the kernel's, `build` with its revision; `kind` is "Client", "Server" or ….

    `architecture` is as a Debian port is called ("amd64", "i386", "arm64"); `services` are those of `DRIVERS` and
    `TOOLS` that are there, with how they are started (0 by the boot loader to 4 never). `problems` are what forbids
    changing it from outside, with what to do, `warnings` what should be done in Windows first.
    """

    title: str
    edition: str
    kind: str
    version: tuple[int, int]
    build: tuple[int, int]
    architecture: str
    hostname: str
    control_set: str
    services: dict[str, int] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    driver_database: bool = False
    fast_startup: bool = False
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def server(self) -> bool:
        """Tell whether this is a server's edition."""
        return self.kind.startswith("Server") or "Server" in self.title


def is_installed(root: Root) -> bool:
    """Tell whether a Windows installation is in these files."""
    return root.is_file(f"{CONFIG}/SYSTEM") and root.is_file(f"{CONFIG}/SOFTWARE")


def ready(root: Root) -> Windows | None:
    """Return what the installation is if it can be changed from outside, None if not or where there is none."""
    found = read(root)
    return found if found and not found.problems else None


def open_hive(root: Root, name: str) -> Hive:
    """Open one of the system's hives. Raises InputError if it is missing or damaged."""
    place = root.find(f"{CONFIG}/{name}")
    return Hive(Contents(place.mounted.filesystem, place.node))


def read(root: Root) -> Windows | None:
    """Return what the installation in these files is, None if there is none. Raises InputError for damaged hives."""
    if not is_installed(root):
        return None
    system, software = open_hive(root, "SYSTEM"), open_hive(root, "SOFTWARE")
    current = _key(software.root(), "Microsoft\\Windows NT\\CurrentVersion")
    name = _control_set(system)
    control = _key(system.root(), name)
    said = current.text("CurrentBuildNumber") or current.text("CurrentBuild")
    build = int(said) if said.isdecimal() and len(said) < 10 else 0
    title = current.text("ProductName") or "Windows"
    if build >= WINDOWS_11 and "Server" not in title:
        title = title.replace("Windows 10", "Windows 11")
    power = control.key("Control\\Session Manager\\Power")
    return Windows(
        title=title,
        edition=current.text("EditionID"),
        kind=current.text("InstallationType"),
        version=_version(current),
        build=(build, current.number("UBR") or 0),
        architecture=_architecture(control),
        hostname=_hostname(control),
        control_set=name,
        services=dict(_services(control)),
        addresses=tuple(_addresses(control)),
        driver_database=system.key("DriverDatabase") is not None,
        fast_startup=bool(power and power.number("HiberbootEnabled")),
        problems=tuple(_problems(root, system, software, control)),
        warnings=tuple(_warnings(root, software)),
    )


def _key(key: Key, path: str) -> Key:
    found = key.key(path)
    if found is None:
        raise InputError(
            f"the registry of the Windows system has no key {path}", hint="start Windows once, shut it down, try again"
        )
    return found


def _control_set(system: Hive) -> str:
    select = _key(system.root(), "Select")
    number = select.number("Default") or select.number("Current") or 1
    return f"ControlSet{number:03}"


def _version(current: Key) -> tuple[int, int]:
    """Return the version of the kernel; what programs are told stopped at 6.3."""
    major, minor = current.number("CurrentMajorVersionNumber"), current.number("CurrentMinorVersionNumber")
    if major is not None:
        return major, minor or 0
    old, _, rest = current.text("CurrentVersion").partition(".")
    return (int(old), int(rest)) if old.isdecimal() and rest.isdecimal() else (0, 0)


def _architecture(control: Key) -> str:
    environment = control.key("Control\\Session Manager\\Environment")
    said = environment.text("PROCESSOR_ARCHITECTURE").upper() if environment else ""
    return {"AMD64": "amd64", "X86": "i386", "ARM64": "arm64"}.get(said, said.lower())


def _hostname(control: Key) -> str:
    for path, name in (
        ("Services\\Tcpip\\Parameters", "NV Hostname"),
        ("Services\\Tcpip\\Parameters", "Hostname"),
        ("Control\\ComputerName\\ComputerName", "ComputerName"),
    ):
        key = control.key(path)
        if key and key.text(name):
            return key.text(name)
    return ""


def _services(control: Key) -> Iterator[tuple[str, int]]:
    wanted = {name.casefold(): name for name in (*(name for names in DRIVERS.values() for name in names), *TOOLS)}
    services = control.key("Services")
    for key in services.subkeys() if services else ():
        name = wanted.get(key.name.casefold())
        if name is not None:
            start = key.number("Start")
            yield name, DISABLED if start is None else start


def _addresses(control: Key) -> Iterator[Address]:
    interfaces = control.key("Services\\Tcpip\\Parameters\\Interfaces")
    names = control.key(f"Control\\Network\\{NETWORK_CLASS}")
    macs = dict(_macs(control))
    for key in interfaces.subkeys() if interfaces else ():
        connection = names.key(f"{key.name}\\Connection") if names else None
        if connection is None:  # the loopback and tunnels, which nobody configures
            continue
        dhcp = key.number("EnableDHCP") != 0
        servers = key.text("NameServer").replace(",", " ").split()
        yield Address(
            guid=key.name,
            name=connection.text("Name"),
            mac=macs.get(key.name.casefold(), ""),
            dhcp=dhcp,
            addresses=() if dhcp else tuple(_with_prefix(key.texts("IPAddress"), key.texts("SubnetMask"))),
            gateways=() if dhcp else tuple(item for item in key.texts("DefaultGateway") if item != NO_ADDRESS),
            servers=tuple(servers),
        )


def _with_prefix(addresses: tuple[str, ...], masks: tuple[str, ...]) -> Iterator[str]:
    for address, mask in zip(addresses, masks, strict=False):
        if address == NO_ADDRESS:
            continue
        try:
            yield str(ipaddress.ip_interface(f"{address}/{mask}"))
        except ValueError:
            continue


def _macs(control: Key) -> Iterator[tuple[str, str]]:
    """Yield the interface and the MAC of each network card whose MAC was set in Windows; others are not stored."""
    cards = control.key(f"Control\\Class\\{NETWORK_CLASS}")
    for key in cards.subkeys() if cards else ():
        mac = key.text("NetworkAddress").replace("-", "").replace(":", "").lower()
        if len(mac) == 12:
            yield key.text("NetCfgInstanceId").casefold(), ":".join(mac[place : place + 2] for place in range(0, 12, 2))


def _problems(root: Root, system: Hive, software: Hive, control: Key) -> Iterator[str]:
    filesystem = root.find("").mounted.filesystem
    if isinstance(filesystem, Ntfs):
        if filesystem.hibernated:
            yield (
                "Windows sleeps on its disk (hibernated, or shut down for a fast start-up): start it, run "
                "`shutdown /s /t 0` (and `powercfg /h off`), and take the disk again"
            )
        elif not filesystem.clean:
            yield (
                "Windows was not shut down in order, and its file system waits for a check: start it, let it check, "
                "run `shutdown /s /t 0`, and take the disk again"
            )
    if not (system.clean and software.clean):
        yield "a write to the registry was under way when the disk was taken: start Windows and shut it down first"
    if control.key("Control\\CriticalDeviceDatabase") is None and system.key("DriverDatabase") is None:
        yield "the registry has neither a DriverDatabase nor a CriticalDeviceDatabase, where drivers are entered"


def _warnings(root: Root, software: Hive) -> Iterator[str]:
    if root.exists(f"{FOLDER}/WinSxS/pending.xml") or software.key(
        "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"
    ):
        yield "updates wait for a restart of Windows: restart it until none is left, and shut it down"
