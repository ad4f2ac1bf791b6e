"""A machine: one virtual machine of this host, as it was asked for, and how it is now.

`Machine` is written once, when the machine is made (`machine.json`); `State` changes while it runs (`state.json`).
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from jeos.core.errors import InputError, UsageError

NAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,46}[a-z0-9])?")  # fits file names, host names and socket paths
LOOPBACK = "127.0.0.1"
PROTOCOLS = ("tcp", "udp")
SHARE_SYNTAX = "DIR:/PATH[:ro]"
SHARE_TARGET = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+")  # what no shell and no list of options takes apart
MOST_SHARES = 8
NET_SYNTAX = "user|tap:NAME|none"
TAP_NAME = re.compile(r"[A-Za-z0-9._-]{1,15}")  # IFNAMSIZ, without what is special in a list of options
DEVICE_SYNTAX = "PCI_ADDRESS[,bind]"
PCI_ADDRESS = re.compile(r"(?:([0-9a-f]{4}):)?([0-9a-f]{2}:[01][0-9a-f]\.[0-7])", re.IGNORECASE)
SMALLEST_MEMORY = 32  # MiB; Linux does not come up with less, and does not go on
WITHOUT_FOLDER = "without a folder of the host: "  # how the reason of a machine begins that lacks a shared one
PORT_SYNTAX = "[HOST_IP:]HOST_PORT:GUEST_PORT[/tcp|/udp]"


class Boot(StrEnum):
    """How a machine starts."""

    DIRECT = "direct"  # QEMU hands the kernel over itself: fast
    FIRMWARE = "firmware"  # UEFI, boot loader, unified kernel image: what real machines do
    BIOS = "bios"  # the boot sector, as machines did before UEFI; for foreign disks only


class Confine(StrEnum):
    """How a machine's QEMU is fenced off from the host."""

    AUTO = "auto"  # by all fences that the host has
    STRICT = "strict"  # by all that jeos knows, or the machine does not start
    OFF = "off"  # by QEMU's filter of system calls alone


class Channel(StrEnum):
    """How the host and the guest's agent talk."""

    AUTO = "auto"  # over vsock where host and guest have it
    VSOCK = "vsock"
    SERIAL = "serial"  # a virtio-serial port, which every host and guest has


class Status(StrEnum):
    """How a machine is."""

    STARTING = "starting"
    RUNNING = "running"
    HEALTHY = "healthy"  # running, and the agent says that every health check of the appliance holds
    PAUSED = "paused"  # its processors stand still, as ordered or because QEMU could not go on; its memory is kept
    STOPPED = "stopped"
    FAILED = "failed"


ALIVE = (Status.STARTING, Status.RUNNING, Status.HEALTHY, Status.PAUSED)


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of the host that leads into the guest; a `host` port of 0 means any that is free."""

    host: int
    guest: int
    protocol: str = "tcp"
    address: str = LOOPBACK

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.host}:{self.guest}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class OtherDisk:
    """A disk of a foreign machine beside its first one; the machine writes to an overlay of it, too.

    `size` is in bytes where there is no file at `path`, because the disk came from a backup.
    """

    path: str
    format: str = "raw"
    fingerprint: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a machine may use of the host at most, 0 for all: `cpu` in percent of one processor, `memory` in bytes.

    `memory` is the guest's and QEMU's. `io` is in bytes a second, for reading and for writing, each.
    """

    cpu: int = 0
    memory: int = 0
    io: int = 0

    @property
    def wanted(self) -> tuple[str, ...]:
        """The kinds of limits that there are to be."""
        return tuple(kind for kind in ("cpu", "memory", "io") if getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Share:
    """A folder of this host, at `path`, that the machine sees at `target`."""

    path: str
    target: str
    read_only: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.target}{':ro' if self.read_only else ''}"


@dataclass(frozen=True, slots=True)
class Device:
    """A PCI device of this host that the machine has for itself; `bind` takes it from its driver for that time."""

    address: str
    bind: bool = False

    def __str__(self) -> str:
        return f"{self.address}{',bind' if self.bind else ''}"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine is made of.

    `disk` is the path of the built image, which stays as it is, and `disk_format` "raw" or "qcow2"; the machine writes
    to an overlay of `disk_size` bytes (0: as large as the image), which fits only the image with `disk_fingerprint`.
    `image` is the path of the image's description, if jeos built it. `kernel` and `initrd` are paths and `cmdline` is
    text for a direct boot. `macs` are the addresses of its network cards, one card each; without any it has one card,
    with an address of its own. `memory` is in MiB, `created` in seconds since 1970. `properties` are the names of those
    that were set; their values are in files that only the owner can read.

    A machine that came from a backup has no image under its disk (`disk` is ""). As long as it still reads from the
    backup, `supply` are the words of the jeos command that exports it. One that is `isolated` reaches no network.
    `tap` is the tap device of the host that its network card is connected to, "" for a router in user space. `engine`
    is the address of the libvirt that its domain is in, "" for a QEMU that jeos starts itself.
    """

    name: str
    disk: str
    disk_format: str = "raw"
    disk_fingerprint: str = ""
    disk_size: int = 0
    image: str = ""
    appliance: str = ""
    version: str = ""
    boot: Boot = Boot.FIRMWARE
    kernel: str = ""
    initrd: str = ""
    cmdline: str = ""
    accelerator: str = "auto"
    memory: int = 512
    cpus: int = 1
    forwards: tuple[Forward, ...] = ()
    properties: tuple[str, ...] = ()
    uuid: str = "00000000-0000-0000-0000-000000000000"
    created: int = 0
    other_disks: tuple[OtherDisk, ...] = ()
    macs: tuple[str, ...] = ()
    supply: tuple[str, ...] = ()
    isolated: bool = False
    confine: Confine = Confine.AUTO
    limits: Limits = Limits()
    shares: tuple[Share, ...] = ()
    channel: Channel = Channel.AUTO
    devices: tuple[Device, ...] = ()
    tap: str = ""
    engine: str = ""

    @property
    def foreign(self) -> bool:
        """Tell whether jeos did not build what it runs."""
        return not self.image and self.boot is not Boot.DIRECT


@dataclass(frozen=True, slots=True)
class State:
    """How a machine is, as its supervisor last wrote it.

    `since` is when the status began and `started` when QEMU was started, in seconds since 1970; `boots` counts the
    guest's starts since then. `forwards` have the real host ports. `version` is the one that the guest's agent told
    last: another than the image's in a machine that has updated itself. `fences` are those around QEMU,
    `fences_missing` those that could not be put up, as "name: why". `sharing` is how folders of the host reach the
    machine: "virtiofs", or "9p" and why. `channel` is the way on which the agent was heard last, vsock or serial, and
    `cid` the guest's address where it has a vsock.
    """

    status: Status = Status.STOPPED
    reason: str = ""
    since: float = 0.0
    started: float = 0.0
    supervisor: int = 0
    qemu: int = 0
    boots: int = 0
    accelerator: str = ""
    accelerator_reason: str = ""
    network: str = ""
    forwards: tuple[Forward, ...] = ()
    version: str = ""
    fences: tuple[str, ...] = ()
    fences_missing: tuple[str, ...] = ()
    sharing: str = ""
    channel: str = ""
    cid: int = 0

    def become(self, status: Status, *, reason: str = "", now: float) -> "State":
        """Return this state with another status from now on; one that it has already goes on, with another reason."""
        return replace(self, status=status, reason=reason, since=self.since if status is self.status else now)


def check_name(name: str) -> str:
    """Return the name of a machine if it can be one; raises UsageError."""
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a machine",
            hint="use up to 48 small letters, digits, dots, dashes and underscores, beginning and ending with a letter "
            "or digit",
        )
    return name


def parse_forward(text: str) -> Forward:
    """Read a port forward such as "8080:80", "0.0.0.0:5353:53/udp" or "[::1]:0:80"; raises UsageError."""
    match = re.fullmatch(r"(?:(?P<ip>\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?(?P<host>\d+):(?P<guest>\d+)(?:/(?P<p>\w+))?", text)
    wrong = UsageError(f"--port {text} is not of the form {PORT_SYNTAX}", hint="for example --port 8080:80")
    if match is None or (match["p"] or "tcp") not in PROTOCOLS:
        raise wrong
    host, guest = int(match["host"]), int(match["guest"])
    if host > 65535 or not 0 < guest <= 65535:
        raise UsageError(
            f"--port {text}: a port is a number from 1 to 65535", hint="0 as the host's port takes any that is free"
        )
    address = (match["ip"] or LOOPBACK).strip("[]")
    if not _is_address(address):
        raise UsageError(f"--port {text}: {address} is not an IP address", hint=f"the form is {PORT_SYNTAX}")
    return Forward(host=host, guest=guest, protocol=match["p"] or "tcp", address=address)


def parse_folder(text: str) -> Share:
    """Read a folder to share such as "site:/srv/www" or "/data:/mnt:ro"; raises UsageError.

    The folder may have colons in its name: what follows the last one before a slash is the place in the machine.
    """
    rest, read_only = (text[:-3], True) if text.endswith(":ro") else (text, False)
    path, sign, target = rest.rpartition(":/")
    target = f"/{target}"
    if not sign or not path or not SHARE_TARGET.fullmatch(target) or {".", ".."} & set(target.split("/")):
        raise UsageError(
            f"--share {text} is not of the form {SHARE_SYNTAX}", hint="for example --share ./site:/srv/www:ro"
        )
    return Share(path=path, target=target, read_only=read_only)


def parse_device(text: str) -> Device:
    """Read a PCI device such as "0000:03:00.0", "03:00.0" or "03:00.0,bind"; raises UsageError."""
    address, comma, word = text.partition(",")
    match = PCI_ADDRESS.fullmatch(address)
    if match is None or (comma and word != "bind"):
        raise UsageError(
            f"--device {text} is not of the form {DEVICE_SYNTAX}",
            hint="for example --device 0000:03:00.0",
        )
    return Device(address=f"{match[1] or '0000'}:{match[2]}".lower(), bind=bool(comma))


def parse_net(text: str) -> tuple[str, bool]:
    """Read how a machine is connected; return the tap device's name, "" for none, and whether it is isolated."""
    kind, _, name = text.partition(":")
    if text in ("user", "none"):
        return "", text == "none"
    if kind != "tap" or not TAP_NAME.fullmatch(name):
        raise UsageError(f"--net {text} is not of the form {NET_SYNTAX}", hint="for example --net tap:tap0")
    return name, False


def _is_address(text: str) -> bool:
    import ipaddress  # costs 5 ms that most verbs need not pay

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def machine_text(machine: Machine) -> str:
    """Return a machine as JSON."""
    return json.dumps(asdict(machine), indent=2) + "\n"


def parse_machine(text: str, *, source: str) -> Machine:
    """Read a machine from JSON; raises InputError, naming `source`, if it is not one."""
    try:
        fields = json.loads(text)
        fields["boot"] = Boot(fields["boot"])
        fields["shares"] = tuple(Share(**share) for share in fields.get("shares", ()))
        fields["devices"] = tuple(Device(**device) for device in fields.get("devices", ()))
        fields["limits"] = Limits(**fields.get("limits", {}))
        fields["confine"] = Confine(fields.get("confine", Confine.AUTO))
        fields["channel"] = Channel(fields.get("channel", Channel.AUTO))
        fields["forwards"] = tuple(Forward(**forward) for forward in fields["forwards"])
        fields["properties"] = tuple(fields["properties"])
        fields["other_disks"] = tuple(OtherDisk(**disk) for disk in fields.get("other_disks", ()))
        fields["macs"] = tuple(fields.get("macs", ()))
        fields["supply"] = tuple(fields.get("supply", ()))
        return Machine(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source} does not describe a machine: {error}", hint="remove the machine: jeos rm") from None


def state_text(state: State) -> str:
    """Return a state as JSON."""
    return json.dumps(asdict(state), indent=2) + "\n"


def parse_state(text: str, *, source: str) -> State:
    """Read a state from JSON; raises InputError, naming `source`, if it is not one."""
    try:
        fields = json.loads(text)
        fields["status"] = Status(fields["status"])
        fields["forwards"] = tuple(Forward(**forward) for forward in fields["forwards"])
        for name in ("fences", "fences_missing"):
            fields[name] = tuple(fields.get(name, ()))
        return State(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{source} is not a machine's state: {error}", hint="remove the machine: jeos rm") from None
