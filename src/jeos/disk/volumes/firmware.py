"""Which firmware a disk is made to start with: UEFI where it has an EFI system partition, else a BIOS.

    firmware.wanted(disk)       # "uefi", "bios", or "" for a disk that no firmware would start from

Sources: UEFI specification 2.10, section 13.3 (system partitions); for BIOS, the boot signature and code of the first
sector, by which firmware has gone since the IBM PC.
"""

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.volumes import partitions
from jeos.model.image import SECTOR, TYPE_ESP

MBR_ESP = "ef"  # an EFI system partition, as MBR calls it
CODE_BYTES = 440  # of the first sector; what follows are the disk's signature and the partition table
SIGNATURE = b"\x55\xaa"


def wanted(disk: Blocks) -> str:
    """Return the firmware that starts this disk. A disk that starts with both counts as UEFI's."""
    try:
        _, volumes, _ = partitions.read(disk, name="disk", index=0)
        first = disk.read(0, SECTOR) if disk.size >= SECTOR else b""
    except InputError:
        return ""
    if any(volume.type in (TYPE_ESP, MBR_ESP) for volume in volumes):
        return "uefi"
    return "bios" if first.endswith(SIGNATURE) and any(first[:CODE_BYTES]) else ""
