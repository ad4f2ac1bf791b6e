"""What an OVF descriptor tells of a virtual machine: DMTF DSP0243, versions 0.9 to 2.1.

    envelope.systems[0].drives[0].disk      # "vmdisk1"
    envelope.disk("vmdisk1").file           # "file1"
    envelope.file("file1").href             # "web-disk1.vmdk"

Identifiers are the descriptor's own words; what it does not say is "" or None.
"""

from dataclasses import dataclass
from enum import StrEnum


class Firmware(StrEnum):
    """What starts a machine."""

    BIOS = "bios"
    EFI = "efi"


class Bus(StrEnum):
    """What a controller speaks to its drives."""

    IDE = "ide"
    SCSI = "scsi"
    SATA = "sata"
    NVME = "nvme"
    USB = "usb"
    OTHER = "other"


class DriveKind(StrEnum):
    """What is in a drive."""

    DISK = "disk"
    CDROM = "cdrom"
    FLOPPY = "floppy"


@dataclass(frozen=True, slots=True)
class File:
    """A file of the package: `href` is relative, `size` in bytes (of the file as it is packed).

    `compression` is "" or "gzip". A file with a `chunk_size` is kept in pieces of so many bytes, HREF.000000000 and on.
    """

    id: str
    href: str
    size: int | None = None
    compression: str = ""
    chunk_size: int = 0


@dataclass(frozen=True, slots=True)
class Disk:
    """A virtual disk of `capacity` bytes, in the file with the identifier `file` ("": an empty disk).

    `format` is the address that names the disk's format; `parent` the disk that this one holds the differences from;
    `populated` how many bytes of it are in use.
    """

    id: str
    file: str = ""
    capacity: int | None = None
    format: str = ""
    parent: str = ""
    populated: int | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A network that the machine expects to find."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Controller:
    """What drives hang on: `model` is the descriptor's word for it, such as "lsilogic" or "VirtualSCSI"."""

    id: str
    bus: Bus
    model: str = ""
    address: int | None = None


@dataclass(frozen=True, slots=True)
class Drive:
    """A drive on a controller, at a place; `disk` or `file` names what is in it, both are "" for an empty one."""

    id: str
    kind: DriveKind
    disk: str = ""
    file: str = ""
    controller: str = ""
    place: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Nic:
    """A network adapter: `model` such as "VmxNet3" or "E1000", `mac` as aa:bb:cc:dd:ee:ff."""

    id: str
    network: str = ""
    model: str = ""
    mac: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Property:
    """A value that whoever deploys the machine may set; `key` is CLASS.KEY.INSTANCE where the product has those.

    `type` is one of string, boolean, uint8 to uint64, sint8 to sint64, real32 and real64; `qualifiers` limit it,
    such as `MinLen(1) ValueMap{"a","b"}`.
    """

    key: str
    type: str = "string"
    value: str = ""
    label: str = ""
    description: str = ""
    configurable: bool = False
    password: bool = False
    qualifiers: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """What the machine's maker calls it."""

    name: str = ""
    vendor: str = ""
    version: str = ""
    full_version: str = ""
    vendor_url: str = ""
    product_url: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """One virtual machine, with `memory` in MiB.

    `os` is a CIM_OperatingSystem.OsType, `os_type` the hypervisor's word for the same,
    and `hardware` its hardware family, such as "vmx-11". `transport` are the ways in which it takes its properties,
    of "iso" and "com.vmware.guestInfo".
    """

    id: str
    name: str
    product: Product = Product()
    os: int | None = None
    os_type: str = ""
    os_description: str = ""
    hardware: str = ""
    transport: tuple[str, ...] = ()
    firmware: Firmware = Firmware.BIOS
    secure_boot: bool = False
    cpus: int = 1
    memory: int | None = None
    controllers: tuple[Controller, ...] = ()
    drives: tuple[Drive, ...] = ()
    nics: tuple[Nic, ...] = ()
    properties: tuple[Property, ...] = ()
    eulas: tuple[str, ...] = ()
    annotation: str = ""

    def controller(self, drive: Drive) -> Controller | None:
        """Return what a drive hangs on, if the descriptor says."""
        return next((one for one in self.controllers if one.id == drive.controller), None)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A whole descriptor; `version` is the specification's major one: "0.9", "1" or "2"."""

    version: str
    files: tuple[File, ...] = ()
    disks: tuple[Disk, ...] = ()
    networks: tuple[Network, ...] = ()
    systems: tuple[System, ...] = ()

    def file(self, name: str) -> File | None:
        """Return the file with an identifier."""
        return next((one for one in self.files if one.id == name), None)

    def disk(self, name: str) -> Disk | None:
        """Return the disk with an identifier."""
        return next((one for one in self.disks if one.id == name), None)
