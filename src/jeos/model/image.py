"""An image: what is on the disk that a build makes, and what one must know to run it.

The disk follows the UAPI group's discoverable partitions specification:

    1  EFI system partition   FAT32: systemd-boot and one unified kernel image per slot
    2  system A               EROFS, read-only; its partition's UUID is the first half of the verity root hash
    3  system A, verity       dm-verity hashes; the second half of the root hash
    4  system B               empty until the first update
    5  system B, verity       empty
    6  data                   ext4, mounted at /var; grows to the disk at first boot
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jeos.model.recipe import Property

SECTOR = 512  # bytes; what GPT and the kernel count in
BLOCK = 4096  # bytes; what EROFS, dm-verity and the partitions are aligned to
MEBIBYTE = 1 << 20

# Partition types, from the discoverable partitions specification.
TYPE_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
TYPE_ROOT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"  # x86-64
TYPE_ROOT_VERITY = "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"  # x86-64
TYPE_LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"

LABEL_EMPTY = "_empty"  # what systemd-sysupdate calls a slot that holds nothing
LABEL_DATA = "data"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of a disk: `start` and `size` in bytes, `uuid` and `type` as lower-case UUIDs."""

    number: int
    label: str
    type: str
    uuid: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the guest that the outside wants to reach."""

    guest: int
    protocol: str = "tcp"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """What a build made, as written to `NAME_VERSION.json` beside the disk.

    `disk`, `kernel` (the unified kernel image), `sbom`, `tree` and `report` are file names in the same folder.
    `root_hash` is dm-verity's, in hexadecimal; sizes are in bytes; `memory` in MiB. `properties` are what whoever
    runs it may or must set. `updates` tells that it updates itself, and so must boot from its disk with firmware.
    `eula` is the file with the licence that whoever runs it must agree to, or "".
    """

    name: str
    version: str
    vendor: str
    architecture: str
    disk: str
    kernel: str
    sbom: str
    tree: str
    report: str
    root_hash: str
    disk_size: int
    system_size: int
    verity_size: int
    kernel_size: int
    partitions: tuple[Partition, ...]
    ports: tuple[Port, ...]
    memory: int
    cpus: int
    properties: "tuple[Property, ...]" = ()
    updates: bool = False
    eula: str = ""
