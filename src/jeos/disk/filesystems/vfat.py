"""FAT12, FAT16 and FAT32 with long names, read without mounting.

    filesystem = open_filesystem(blocks)
    filesystem.read(find(filesystem, "EFI/BOOT/BOOTX64.EFI"))

After Microsoft's "FAT: General Overview of On-Disk Format" 1.03, which also describes long names. Times on FAT have no
zone, and are taken as UTC. FAT has no inodes: a node's number is the place of its entry on the disk.
"""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems import extents
from jeos.disk.filesystems.base import Node, Usage, wanted
from jeos.disk.filesystems.extents import Metadata, Run, damage
from jeos.model.tree import Kind

damaged = damage("FAT", tool="fsck.vfat -n")

_BOOT = struct.Struct("<11xHBHBHHBHHHII")
_SECTORS = (512, 1024, 2048, 4096)
_ENTRY_BYTES = 32
_ENTRY = struct.Struct("<8s3sBBBHHHHHHHI")
_READ_ONLY, _LABEL, _FOLDER, _LONG_NAME = 0x01, 0x08, 0x10, 0x0F
_LOWER_NAME, _LOWER_ENDING = 0x08, 0x10
_DELETED, _LAST_OF_NAME = 0xE5, 0x40
_LONG_PARTS = ((1, 11), (14, 26), (28, 32))  # where the 13 UTF-16 units of a long name's entry are
_LONG_MOST = 20  # entries of one long name: 255 units
_FOLDER_BYTES = 2 << 20  # 65,536 entries
_FAT12_MOST, _FAT16_MOST = 4084, 65524  # clusters
_CHAINS_KEPT = 16
_COUNTED = (
    4 << 20
)  # bytes of a FAT whose free clusters are counted; for larger ones the file system's own count is taken
_UNKNOWN = 0xFFFFFFFF
_FIRST_YEAR = 1980


def probe(blocks: Blocks) -> bool:
    """Tell whether this is FAT."""
    if blocks.size < 512:
        return False
    boot = blocks.read(0, 512)
    if boot[510:] != b"\x55\xaa" or boot[0] not in (0xEB, 0xE9) or boot[21] < 0xF0:
        return False
    sector, cluster, reserved, tables = _BOOT.unpack_from(boot)[:4]
    return bool(sector in _SECTORS and cluster and not cluster & (cluster - 1) and reserved and tables in (1, 2))


def open_filesystem(blocks: Blocks) -> "Vfat":
    """Open a file system. Raises InputError if it is damaged."""
    return Vfat(blocks)


@dataclass(frozen=True, slots=True)
class _File(Node):
    """A node and the first cluster of its bytes."""

    cluster: int = 0


class _Chain:
    """The clusters of a file, found as far as they were asked for: runs of (index, count, first cluster)."""

    def __init__(self, first: int) -> None:
        self.runs: list[tuple[int, int, int]] = []
        self.next = first
        self.length = 0

    def add(self, cluster: int) -> None:
        index, count, first = self.runs[-1] if self.runs else (0, 0, cluster)
        if self.runs and first + count == cluster:
            self.runs[-1] = (index, count + 1, first)
        else:
            self.runs.append((self.length, 1, cluster))
        self.length += 1


class Vfat:
    """A FAT file system."""

    kind = "vfat"

    def __init__(self, blocks: Blocks) -> None:
        """Read the boot sector."""
        if not probe(blocks):
            raise InputError("this is no FAT file system")
        boot = blocks.read(0, 512)
        (sector, per_cluster, reserved, tables, entries, total16, _, size16, _, _, _, total32) = _BOOT.unpack_from(boot)
        wide = size16 == 0
        table = (size16 or int.from_bytes(boot[36:40], "little")) * sector
        self._blocks = blocks
        self._cluster_bytes: int = sector * per_cluster
        self._table_start, self._table_bytes = reserved * sector, table
        self._root_start = self._table_start + tables * table
        self._root_bytes = -(-entries * _ENTRY_BYTES // sector) * sector
        self._data_start: int = self._root_start + self._root_bytes
        total = (total16 or total32) * sector
        self._clusters: int = (total - self._data_start) // self._cluster_bytes
        if not table or self._clusters <= 0 or self._data_start >= blocks.size:
            raise damaged(f"{total} bytes do not hold its tables")
        self.bits = 32 if wide else 12 if self._clusters <= _FAT12_MOST else 16
        if self._table_bytes * 8 // self.bits < self._clusters + 2:
            raise damaged(f"its table of {table} bytes is too short for {self._clusters} clusters")
        self._root_cluster = int.from_bytes(boot[44:48], "little") if wide else 0
        self._info = int.from_bytes(boot[48:50], "little") * sector if wide else 0
        at = 67 if wide else 39
        number = int.from_bytes(boot[at : at + 4], "little")
        self.uuid = f"{number >> 16:04X}-{number & 0xFFFF:04X}"
        self._table = Metadata(blocks, unit=sector, kept=64)
        self._chains: dict[int, _Chain] = {}
        self.label = self._volume_label()

    def usage(self) -> Usage:
        """Return how full it is."""
        total = self._clusters * self._cluster_bytes
        return Usage(size=total, used=total - min(self._clusters, self._free()) * self._cluster_bytes)

    def root(self) -> Node:
        """Return the root folder."""
        return _File(number=0, kind=Kind.DIRECTORY, mode=0o755, cluster=self._root_cluster)

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder with their nodes."""
        for name, entry, place in self._entries(folder):
            if name not in (".", ".."):
                yield name, self._node(entry, place)

    def child(self, folder: Node, name: str) -> Node | None:
        """Return what a name in a folder stands for, in capitals or small letters."""
        sought = name.casefold()
        found = ((entry, place) for own, entry, place in self._entries(folder) if own.casefold() == sought)
        entry, place = next(found, (b"", 0))
        return self._node(entry, place) if entry else None

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of a file."""
        length = wanted(node, offset=offset, length=length)
        if not isinstance(node, _File):
            raise InputError(f"the node {node.number} is not of this file system")
        if not length:
            return b""
        unit = self._cluster_bytes
        most = -(-node.size // unit)
        end = -(-(offset + length) // unit)
        chain = self._chain(node.cluster, until=end, most=most)
        if chain.length < end:
            raise damaged(f"a file of {node.size} bytes has only {chain.length} clusters")
        runs = (Run(start * unit, count * unit, self._place(first)) for start, count, first in chain.runs)
        return extents.read(self._blocks, runs, offset=offset, length=length)

    def _place(self, cluster: int) -> int:
        return self._data_start + (cluster - 2) * self._cluster_bytes

    def _chain(self, first: int, *, until: int, most: int) -> _Chain:
        """Return the clusters from `first` on, at least `until` of them if there are so many.

        Raises InputError for a chain of more than `most`, which may turn in a loop.
        """
        chain = self._chains.pop(first, None) or _Chain(first)
        while chain.length < until and 2 <= chain.next < self._clusters + 2:
            if chain.length >= most:
                raise damaged(f"the clusters from {first} on do not end")
            chain.add(chain.next)
            chain.next = self._link(chain.next)
        if len(self._chains) >= _CHAINS_KEPT:
            del self._chains[next(iter(self._chains))]
        self._chains[first] = chain
        return chain

    def _link(self, cluster: int) -> int:
        """Return the cluster that follows another; 0 where the chain ends or is broken."""
        if self.bits == 12:
            raw = self._table.read(self._table_start + cluster * 3 // 2, 2)
            value = int.from_bytes(raw, "little")
            value = value >> 4 if cluster & 1 else value & 0xFFF
        else:
            size = self.bits // 8
            raw = self._table.read(self._table_start + cluster * size, size)
            value = int.from_bytes(raw, "little") & 0x0FFFFFFF
        return value if value < self._clusters + 2 else 0

    def _free(self) -> int:
        """Return the number of free clusters."""
        if self._table_bytes > _COUNTED:
            free = int.from_bytes(self._blocks.read(self._info + 488, 4), "little") if self._info else _UNKNOWN
            return 0 if free == _UNKNOWN else free
        if self.bits == 12:
            return sum(self._is_free12(cluster) for cluster in range(2, self._clusters + 2))
        size = self.bits // 8
        raw = self._blocks.read(self._table_start + 2 * size, self._clusters * size)
        return array("I" if size == 4 else "H", raw).count(0)

    def _is_free12(self, cluster: int) -> bool:
        raw = int.from_bytes(self._table.read(self._table_start + cluster * 3 // 2, 2), "little")
        return not (raw >> 4 if cluster & 1 else raw & 0xFFF)

    def _volume_label(self) -> str:
        for raw, _ in self._raw_entries(self.root()):
            if raw[11] & 0x3F != _LONG_NAME and raw[11] & (_LABEL | _FOLDER) == _LABEL and raw[0] != _DELETED:
                return raw[:11].decode("cp437").rstrip()
        return ""

    def _pieces(self, folder: Node) -> Iterator[tuple[int, bytes]]:
        """Yield the parts of a folder with their places on the disk."""
        if not isinstance(folder, _File) or folder.kind is not Kind.DIRECTORY:
            raise InputError(f"the node {folder.number} is no folder of this file system")
        if folder.cluster == 0:  # the root of FAT12 and FAT16, which also ".." of its folders names so
            yield self._root_start, self._blocks.read(self._root_start, self._root_bytes)
            return
        most = max(1, _FOLDER_BYTES // self._cluster_bytes)
        index = 0
        while True:
            chain = self._chain(folder.cluster, until=index + 1, most=most)
            if chain.length <= index:
                return
            start, _, first = next(run for run in reversed(chain.runs) if run[0] <= index)
            place = self._place(first + index - start)
            yield place, self._blocks.read(place, self._cluster_bytes)
            index += 1

    def _raw_entries(self, folder: Node) -> Iterator[tuple[bytes, int]]:
        for place, piece in self._pieces(folder):
            for at in range(0, len(piece), _ENTRY_BYTES):
                if not piece[at]:
                    return
                yield piece[at : at + _ENTRY_BYTES], place + at

    def _entries(self, folder: Node) -> Iterator[tuple[str, bytes, int]]:
        """Yield name, entry and its place for what is in a folder."""
        parts: list[bytes] = []  # of the long name that belongs to the next entry, the last one first
        for raw, place in self._raw_entries(folder):
            if raw[0] == _DELETED:
                parts = []
            elif raw[11] & 0x3F == _LONG_NAME:
                if raw[0] & _LAST_OF_NAME or len(parts) >= _LONG_MOST:
                    parts = []
                parts.append(raw)
            else:
                if not raw[11] & _LABEL:
                    name = _long_name(parts, raw) or _short_name(raw)
                    if not name or "/" in name or "\0" in name:
                        raise damaged(f"a folder has the name {name!r}")
                    yield name, raw, place
                parts = []

    def _node(self, entry: bytes, place: int) -> _File:
        (_, _, attributes, _, _, _, _, _, high, time, date, low, size) = _ENTRY.unpack(entry)
        folder = bool(attributes & _FOLDER)
        mode = 0o755 if folder else 0o644
        return _File(
            number=place // _ENTRY_BYTES,
            kind=Kind.DIRECTORY if folder else Kind.FILE,
            mode=mode & ~0o222 if attributes & _READ_ONLY else mode,
            mtime=_seconds(date, time),
            size=0 if folder else size,
            cluster=low | (high << 16 if self.bits == 32 else 0),
        )


def _seconds(date: int, time: int) -> int:
    """Return seconds since 1970 of FAT's date and time, which counts in two seconds; 0 for one that cannot be."""
    try:
        moment = datetime(
            _FIRST_YEAR + (date >> 9),
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            (time & 31) * 2,
            tzinfo=UTC,
        )
    except ValueError:
        return 0
    return int(moment.timestamp())


def _short_name(entry: bytes) -> str:
    """Return the name in an entry itself: eight letters and an ending of three."""
    raw = entry[:8]
    if raw[0] == 0x05:  # stands for a letter that would look like a deleted entry
        raw = b"\xe5" + raw[1:]
    name, ending = raw.decode("cp437").rstrip(" "), entry[8:11].decode("cp437").rstrip(" ")
    name = name.lower() if entry[12] & _LOWER_NAME else name
    ending = ending.lower() if entry[12] & _LOWER_ENDING else ending
    return f"{name}.{ending}" if ending else name


def _long_name(parts: list[bytes], entry: bytes) -> str:
    """Return the long name of an entry from the entries before it, "" if these do not belong to it."""
    if not parts or parts[0][0] & ~_LAST_OF_NAME != len(parts):
        return ""
    total = 0
    for letter in entry[:11]:
        total = ((total >> 1) + ((total & 1) << 7) + letter) & 0xFF
    if any(part[13] != total for part in parts):
        return ""
    if any(part[0] & ~_LAST_OF_NAME != number for part, number in zip(parts[::-1], range(1, 21), strict=False)):
        return ""
    raw = b"".join(part[start:end] for part in parts[::-1] for start, end in _LONG_PARTS)
    text = raw.decode("utf-16-le", "surrogatepass").partition("\0")[0]
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
