"""EFI system partitions: a FAT32 file system written at once from a list of files, without mounting anything.

    esp.write(disk, {"EFI/BOOT/BOOTX64.EFI": Path("systemd-bootx64.efi"), "loader/loader.conf": b"timeout 0\\n"},
              offset=1 << 20, size=64 << 20, serial=0x6A656F73, date=1731628800)

After Microsoft's "FAT: General Overview of On-Disk Format" 1.03 (the section numbers below are of that document). Same
files, same bytes: clusters are given out in order, and serial number and times come from the caller. Each file
lies in one run of clusters, which firmware reads in one go.
"""

import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import InputError
from jeos.model.image import SECTOR

Content = bytes | Path

_RESERVED_SECTORS = 32
_FATS = 2
_ROOT_CLUSTER = 2  # the first one that there is
_LEAST_CLUSTERS = 65_525  # a volume with fewer is FAT16 by definition ("FAT Type Determination")
_LARGEST_CLUSTER = 8  # sectors: 4 KiB, the block of the disks and of the page cache
_ALIGNMENT = 8  # sectors; where the first cluster starts
_END_OF_CHAIN = 0x0FFFFFFF
_MEDIA = 0xF8
_INFO_SECTOR, _BACKUP_SECTOR = 1, 6
_LARGEST_FILE = 0xFFFFFFFF

_ENTRY = struct.Struct("<11sBBBHHHHHHHI")
_DIRECTORY, _ARCHIVE, _VOLUME, _LONG_NAME = 0x10, 0x20, 0x08, 0x0F
_LONG_UNITS = 13  # UTF-16 units in one entry of a long name
_LAST_LONG = 0x40
_LONGEST_NAME = 255
_SHORT_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~")
_FORBIDDEN = frozenset('"*/:<>?\\|') | {chr(code) for code in range(32)}


@dataclass(slots=True)
class _Node:
    """A file or folder on its way to the disk; `cluster` is where it starts, 0 if it is empty."""

    name: str
    short: bytes = b""
    content: Content = b""
    size: int = 0
    children: dict[str, "_Node"] | None = None  # by upper-case name; None for files
    cluster: int = 0
    parent: "_Node | None" = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things are, in sectors from the start of the volume."""

    sectors: int
    cluster: int
    fat: int
    data: int

    @property
    def clusters(self) -> int:
        return (self.sectors - self.data) // self.cluster


def write(
    disk: BinaryIO,
    files: Mapping[str, Content],
    *,
    offset: int,
    size: int,
    serial: int,
    date: int,
    label: str = "ESP",
) -> None:
    """Write a FAT32 file system of `size` bytes at `offset`, with files given by path (bytes, or a file to copy).

    `serial` is the volume's 32-bit serial number, `date` in seconds since 1970 (UTC). The place must read as zeros, as
    a new sparse file does. Raises InputError for names that FAT cannot hold, and if the files do not fit.
    """
    layout = _plan(size)
    root = _tree(files)
    nodes = list(_walk(root))
    used = _place(nodes, layout=layout)
    _write_boot_sectors(disk, offset=offset, layout=layout, serial=serial, label=label, used=used)
    _write_fats(disk, nodes, offset=offset, layout=layout)
    stamp = _timestamp(date)
    for node in nodes:
        if node.cluster:
            disk.seek(offset + (layout.data + (node.cluster - _ROOT_CLUSTER) * layout.cluster) * SECTOR)
            _write_content(disk, node, stamp=stamp, label=label if node is root else "")


def _plan(size: int) -> _Layout:
    sectors = size // SECTOR
    cluster = _LARGEST_CLUSTER
    while cluster >= 1:
        layout = _layout(sectors, cluster=cluster)
        if layout.clusters >= _LEAST_CLUSTERS:
            return layout
        cluster //= 2
    raise InputError(f"{size} bytes are too few for an EFI system partition", hint="FAT32 needs at least 34 MiB")


def _layout(sectors: int, *, cluster: int) -> _Layout:
    # Sized for all sectors, tables included: a little more than is needed, and never less.
    fat = -(-(sectors // cluster + _ROOT_CLUSTER) * 4 // SECTOR)
    fat += -(_RESERVED_SECTORS + _FATS * fat) % _ALIGNMENT // _FATS
    return _Layout(sectors=sectors, cluster=cluster, fat=fat, data=_RESERVED_SECTORS + _FATS * fat)


def _tree(files: Mapping[str, Content]) -> _Node:
    root = _Node(name="", children={})
    for path, content in sorted(files.items()):
        folder = root
        *parents, name = path.split("/")
        for part in parents:
            folder = _child(folder, part, path=path, children={})
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        if size > _LARGEST_FILE:
            raise InputError(f"{path}: {size} bytes are too many for a file on FAT32")
        _child(folder, name, path=path, content=content, size=size)
    for node in _walk(root):
        _give_short_names(node)
    return root


def _child(
    folder: _Node,
    name: str,
    *,
    path: str,
    content: Content = b"",
    size: int = 0,
    children: dict[str, _Node] | None = None,
) -> _Node:
    units = len(name.encode("utf-16-le")) // 2
    if not name or name[-1] in ". " or _FORBIDDEN & set(name) or units > _LONGEST_NAME:
        raise InputError(f"{path}: {name!r} is not a name that FAT32 can hold")
    assert folder.children is not None
    known = folder.children.get(name.upper())
    if known is None:
        known = _Node(name=name, content=content, size=size, children=children, parent=folder)
        folder.children[name.upper()] = known
    elif children is None or known.children is None or known.name != name:
        raise InputError(f"{path} is there twice: FAT32 makes no difference between upper and lower case")
    return known


def _walk(node: _Node) -> Iterator[_Node]:
    yield node
    for _, child in sorted((node.children or {}).items()):
        yield from _walk(child)


def _short(name: str) -> bytes | None:
    """Return the 8.3 form of a name that is one already, else None ("FAT Directory Structure")."""
    base, dot, extension = name.rpartition(".") if "." in name else (name, "", "")
    fits = 0 < len(base) <= 8 and len(extension) <= 3 and (bool(extension) or not dot)
    if not fits or not set(base + extension) <= _SHORT_CHARACTERS:
        return None
    return base.encode().ljust(8) + extension.encode().ljust(3)


def _give_short_names(folder: _Node) -> None:
    """Give each child its 8.3 name; long names get a made-up one with a number ("Short Directory Entry Names")."""
    children = [child for _, child in sorted((folder.children or {}).items())]
    taken = {short for child in children if (short := _short(child.name))}
    for child in children:
        child.short = _short(child.name) or b""
        if child.short:
            continue
        base, _, extension = child.name.upper().rpartition(".") if "." in child.name else (child.name.upper(), "", "")
        plain, suffix = (
            "".join(letter for letter in part if letter in _SHORT_CHARACTERS) for part in (base, extension)
        )
        number = 1
        while not child.short or child.short in taken:
            tail = f"~{number}"
            child.short = (plain[: 8 - len(tail)] + tail).encode().ljust(8) + suffix[:3].encode().ljust(3)
            number += 1
        taken.add(child.short)


def _long_units(name: str) -> bytes:
    units = name.encode("utf-16-le")
    if len(units) % (_LONG_UNITS * 2):
        units += b"\0\0"
    return units.ljust(-(-len(units) // (_LONG_UNITS * 2)) * _LONG_UNITS * 2, b"\xff")


def _entry_count(node: _Node) -> int:
    """Return how many directory entries a file or folder takes in its folder."""
    return 1 if _short(node.name) else 1 + len(_long_units(node.name)) // (_LONG_UNITS * 2)


def _place(nodes: list[_Node], *, layout: _Layout) -> int:
    """Give each node its clusters, in order, and return how many are taken."""
    following = _ROOT_CLUSTER
    for node in nodes:
        if node.children is not None:
            own = 2 if node.parent else 1  # "." and "..", or the volume's label
            node.size = (own + sum(map(_entry_count, node.children.values()))) * _ENTRY.size
        count = _clusters_of(node, layout=layout)
        node.cluster = following if count else 0
        following += count
    used = following - _ROOT_CLUSTER
    if used > layout.clusters:
        short = (used - layout.clusters) * layout.cluster * SECTOR
        raise InputError(f"the files are {short} bytes too large for the EFI system partition", hint="raise [disk] esp")
    return used


def _clusters_of(node: _Node, *, layout: _Layout) -> int:
    return -(-node.size // (layout.cluster * SECTOR))


def _write_boot_sectors(disk: BinaryIO, *, offset: int, layout: _Layout, serial: int, label: str, used: int) -> None:
    name = _volume_label(label)
    boot = struct.pack(
        "<3s8sHBHBHHBHHHIIIHHIHH12xBBBI11s8s",
        b"\xeb\x58\x90", b"jeos    ", SECTOR, layout.cluster, _RESERVED_SECTORS, _FATS, 0, 0, _MEDIA, 0, 63, 255,
        offset // SECTOR, layout.sectors, layout.fat, 0, 0, _ROOT_CLUSTER, _INFO_SECTOR, _BACKUP_SECTOR,
        0x80, 0, 0x29, serial, name, b"FAT32   ",
    )  # fmt: skip
    boot = boot.ljust(SECTOR - 2, b"\0") + b"\x55\xaa"
    info = struct.pack(
        "<I480xIII12xI", 0x41615252, 0x61417272, layout.clusters - used, _ROOT_CLUSTER + used, 0xAA550000
    )
    for sector, content in ((0, boot), (_INFO_SECTOR, info), (_BACKUP_SECTOR, boot), (_BACKUP_SECTOR + 1, info)):
        disk.seek(offset + sector * SECTOR)
        disk.write(content)


def _write_fats(disk: BinaryIO, nodes: list[_Node], *, offset: int, layout: _Layout) -> None:
    table = [0x0FFFFF00 | _MEDIA, _END_OF_CHAIN]
    for node in nodes:
        count = _clusters_of(node, layout=layout)
        if count:
            table += [*range(node.cluster + 1, node.cluster + count), _END_OF_CHAIN]
    packed = struct.pack(f"<{len(table)}I", *table)
    for copy in range(_FATS):
        disk.seek(offset + (_RESERVED_SECTORS + copy * layout.fat) * SECTOR)
        disk.write(packed)


def _write_content(disk: BinaryIO, node: _Node, *, stamp: tuple[int, int], label: str) -> None:
    if node.children is not None:
        disk.write(b"".join(_folder_entries(node, stamp=stamp, label=label)))
    elif isinstance(node.content, Path):
        with node.content.open("rb") as source:
            shutil.copyfileobj(source, disk, 1 << 20)
    else:
        disk.write(node.content)


def _folder_entries(folder: _Node, *, stamp: tuple[int, int], label: str) -> Iterator[bytes]:
    if folder.parent is None:
        yield _entry(_volume_label(label), _VOLUME, cluster=0, size=0, stamp=stamp)
    else:
        # The root is written as cluster 0 in "..", although it has a number ("FAT Directory Structure").
        above = folder.parent.cluster if folder.parent.parent else 0
        yield _entry(b".".ljust(11), _DIRECTORY, cluster=folder.cluster, size=0, stamp=stamp)
        yield _entry(b"..".ljust(11), _DIRECTORY, cluster=above, size=0, stamp=stamp)
    for _, child in sorted((folder.children or {}).items()):
        if _short(child.name) is None:
            yield from _long_entries(child)
        kind, size = (_ARCHIVE, child.size) if child.children is None else (_DIRECTORY, 0)
        yield _entry(child.short, kind, cluster=child.cluster, size=size, stamp=stamp)


def _entry(name: bytes, kind: int, *, cluster: int, size: int, stamp: tuple[int, int]) -> bytes:
    day, clock = stamp
    return _ENTRY.pack(name, kind, 0, 0, clock, day, day, cluster >> 16, clock, day, cluster & 0xFFFF, size)


def _long_entries(node: _Node) -> Iterator[bytes]:
    checksum = 0
    for byte in node.short:
        checksum = ((checksum & 1) << 7) + (checksum >> 1) + byte & 0xFF
    units = _long_units(node.name)
    count = len(units) // (_LONG_UNITS * 2)
    for number in range(count, 0, -1):
        part = units[(number - 1) * _LONG_UNITS * 2 : number * _LONG_UNITS * 2]
        order = number | (_LAST_LONG if number == count else 0)
        yield struct.pack("<B10sBBB12sH4s", order, part[:10], _LONG_NAME, 0, checksum, part[10:22], 0, part[22:])


def _volume_label(label: str) -> bytes:
    encoded = label.upper().encode("ascii", "replace")
    if not 0 < len(encoded) <= 11:
        raise InputError(f"{label!r} is not a label for a FAT volume: it may have 1 to 11 characters")
    return encoded.ljust(11)


def _timestamp(date: int) -> tuple[int, int]:
    """Return a time as FAT's day and clock numbers ("Date and Time Formats"); they start in 1980 and end in 2107."""
    moment = time.gmtime(min(max(date, 315_532_800), 4_354_819_198))
    day = (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
    return day, moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2
