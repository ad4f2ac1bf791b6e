"""The text that says what a VMDK is made of: its extents, and the disk that it lies over.

    # Disk DescriptorFile
    version=1
    CID=fffffffe
    parentCID=ffffffff
    createType="twoGbMaxExtentSparse"

    RW 4192256 SPARSE "disk-s001.vmdk"

Source: VMware, "Virtual Disk Format 5.0", The Descriptor File.
"""

import re
from dataclasses import dataclass

from jeos.disk.formats.mapped import LARGEST_DISK, damaged

BEGINS = "# disk descriptorfile"
LARGEST = 1 << 20  # bytes; an extent is a line, and a disk in pieces of 2 GB has a few hundred
NO_PARENT = 0xFFFFFFFF
SECTOR = 512
FLAT_KINDS = ("FLAT", "VMFS", "VMFSRDM", "VMFSRAW")

_SETTING = re.compile(r"([A-Za-z0-9_.:]+)\s*=\s*(.*)")
_EXTENT = re.compile(r'(RW|RDONLY|NOACCESS)\s+(\d{1,19})\s+([A-Z]+)(?:\s+"([^"]*)")?(?:\s+(\d{1,19}))?(?:\s.*)?')


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of the disk: `size` and `offset` (of flat files) in bytes; `kind` is SPARSE, FLAT, ZERO, VMFS, …"""

    size: int
    kind: str
    name: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What the text says; CIDs change with the content, so that a disk notices when the one below it was written to."""

    create_type: str
    cid: int
    parent_cid: int
    parent: str
    extents: tuple[Extent, ...]


def is_descriptor(content: bytes) -> bool:
    """Tell whether a text begins as a descriptor does."""
    return content[: len(BEGINS)].decode(errors="replace").lower() == BEGINS


def parse(content: bytes, *, label: str) -> Descriptor:
    """Read a descriptor. Raises InputError."""
    settings: dict[str, str] = {}
    extents = []
    for raw in content.partition(b"\0")[0].decode(errors="surrogateescape").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if found := _SETTING.fullmatch(line):
            settings[found[1].lower()] = found[2].strip().strip('"')
        elif found := _EXTENT.fullmatch(line):
            extents.append(_extent(found, label=label))
        elif line.split()[0] in ("RW", "RDONLY", "NOACCESS"):
            raise damaged(label, f"its descriptor has an extent that makes no sense: {line[:200]!r}")
    if sum(extent.size for extent in extents) > LARGEST_DISK:
        raise damaged(label, "its extents are larger than any disk")
    return Descriptor(
        create_type=settings.get("createtype", ""),
        cid=_number(settings.get("cid", ""), label=label),
        parent_cid=_number(settings.get("parentcid", "ffffffff"), label=label),
        parent=settings.get("parentfilenamehint", ""),
        extents=tuple(extents),
    )


def _extent(found: re.Match[str], *, label: str) -> Extent:
    access, sectors, kind, name, offset = found.groups()
    if access == "NOACCESS":
        kind = "ZERO"
    if kind != "ZERO" and not name:
        raise damaged(label, f"an extent of kind {kind} has no file")
    return Extent(size=int(sectors) * SECTOR, kind=kind, name=name or "", offset=int(offset or 0) * SECTOR)


def _number(text: str, *, label: str) -> int:
    try:
        return int(text or "0", 16)
    except ValueError:
        raise damaged(label, f"its descriptor has {text[:40]!r} where a number must be") from None
