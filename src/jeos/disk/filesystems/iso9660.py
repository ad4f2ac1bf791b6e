"""ISO 9660, the file system of optical discs, read as `FileSystem`: with Joliet's names where there are any.

    filesystem = iso9660.open_filesystem(blocks.File(Path("virtio-win.iso")))
    base.read_file(filesystem, "NetKVM/2k22/amd64/netkvm.sys")          # whatever the case

Without Joliet, names are as ISO 9660 has them, less the version (";1"). Rock Ridge's names and links are not read.
Source of the format: ECMA-119 (volume descriptors in section 8, directory records in section 9) and the Joliet
specification of 1995.
"""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems.base import Node, wanted
from jeos.model.tree import Kind

SECTOR = 2048
_DESCRIPTORS = 16  # the sector of the first volume descriptor
_MOST_DESCRIPTORS = 64
_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
_JOLIET = (b"%/@", b"%/C", b"%/E")  # escape sequences of a descriptor whose names are UCS-2
_ROOT_RECORD = 156
_FOLDER, _MORE = 0x02, 0x80  # flags of a directory record; the second: the file goes on in the next record
_FOLDER_BYTES = 16 << 20  # of one folder's records, at most: some 100,000 names


def damaged(what: str) -> InputError:
    """Return the error for a disc that contradicts itself."""
    return InputError(f"the ISO 9660 file system is damaged: {what}", hint="copy or download it again")


def probe(blocks: Blocks) -> bool:
    """Tell whether there is an ISO 9660 file system."""
    start = _DESCRIPTORS * SECTOR
    return blocks.size >= start + SECTOR and blocks.read(start + 1, 5) == b"CD001"


def open_filesystem(blocks: Blocks) -> "Iso9660":
    """Open an ISO 9660 file system. Raises InputError if there is none, or it contradicts itself."""
    return Iso9660(blocks)


class Iso9660:
    """An ISO 9660 file system that is open for reading; a node's number is the byte where its content starts."""

    kind = "iso9660"

    def __init__(self, blocks: Blocks) -> None:
        """Read the volume descriptors."""
        if not probe(blocks):
            raise damaged("there is no volume descriptor")
        self._blocks = blocks
        descriptor, self._wide = self._descriptor()
        self._block = struct.unpack_from("<H", descriptor, 128)[0]
        if self._block not in (512, 1024, 2048):
            raise damaged(f"its blocks have {self._block} bytes")
        self.label = self._text(descriptor[40:72]).rstrip(" \0")
        made = descriptor[813:829].decode("ascii", "replace")  # when it was made, as blkid prints it
        self.uuid = "-".join([made[:4], *(made[place : place + 2] for place in range(4, 16, 2))])
        self._extents: dict[int, tuple[tuple[int, int], ...]] = {}  # of files that are in several parts
        record = descriptor[_ROOT_RECORD : _ROOT_RECORD + 34]
        self._root = self._node(record)

    def _descriptor(self) -> tuple[bytes, bool]:
        """Return the volume descriptor to go by, and whether its names are UCS-2."""
        primary: bytes | None = None
        for number in range(_DESCRIPTORS, _DESCRIPTORS + _MOST_DESCRIPTORS):
            sector = self._blocks.read(number * SECTOR, SECTOR)
            if sector[1:6] != b"CD001" or sector[0] == _TERMINATOR:
                break
            if sector[0] == _PRIMARY and primary is None:
                primary = sector
            if sector[0] == _SUPPLEMENTARY and sector[88:91] in _JOLIET:
                return sector, True
        if primary is None:
            raise damaged("there is no primary volume descriptor")
        return primary, False

    def root(self) -> Node:
        """Return the root folder."""
        return self._root

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder and what they stand for, in the order of the disc."""
        if folder.kind is not Kind.DIRECTORY or folder.size > _FOLDER_BYTES:
            raise damaged(f"a folder of {folder.size} bytes")
        parts: list[tuple[int, int]] = []
        for record in self._records(self._blocks.read(folder.number, folder.size)):
            name = self._name(record)
            if not name:
                continue
            node = self._node(record)
            if node.kind is Kind.DIRECTORY and node.number == folder.number:
                raise damaged("a folder holds itself")
            parts.append((node.number, node.size))
            if record[25] & _MORE:
                continue
            if len(parts) > 1:
                node = Node(
                    parts[0][0], Kind.FILE, mode=node.mode, mtime=node.mtime, size=sum(size for _, size in parts)
                )
                self._extents[node.number] = tuple(parts)
            parts = []
            yield name, node

    def child(self, folder: Node, name: str) -> Node | None:
        """Return what a name in a folder stands for, whatever its case."""
        name = name.casefold()
        return next((node for own, node in self.children(folder) if own.casefold() == name), None)

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file from `offset` on, all of them without `length`; fewer where the file ends."""
        left = wanted(node, offset=offset, length=length)
        parts = []
        for start, size in self._extents.get(node.number, ((node.number, node.size),)):
            take = min(left, max(0, size - offset))
            if take:
                parts.append(self._blocks.read(start + offset, take))
            offset, left = max(0, offset - size), left - take
        return b"".join(parts)

    def _records(self, data: bytes) -> Iterator[bytes]:
        """Yield the directory records; none of them crosses the border of a sector."""
        place = 0
        while place < len(data):
            length = data[place]
            if length == 0:
                place += SECTOR - place % SECTOR
                continue
            record = data[place : place + length]
            if length < 34 or len(record) < 33 + record[32]:
                raise damaged("a directory record is cut off")
            yield record
            place += length

    def _node(self, record: bytes) -> Node:
        (block,) = struct.unpack_from("<I", record, 2)
        (size,) = struct.unpack_from("<I", record, 10)
        start = (block + record[1]) * self._block
        if start + size > self._blocks.size:
            raise damaged(f"a file lies at byte {start} to {start + size} of {self._blocks.size}")
        folder = bool(record[25] & _FOLDER)
        kind, mode = (Kind.DIRECTORY, 0o555) if folder else (Kind.FILE, 0o444)
        return Node(start, kind, mode=mode, mtime=_time(record[18:25]), size=size)

    def _name(self, record: bytes) -> str:
        """Return a record's name, "" for those of the folder itself and the one above it."""
        raw = record[33 : 33 + record[32]]
        if raw in (b"\0", b"\1"):
            return ""
        name = self._text(raw).partition(";")[0]
        name = name if self._wide else name.rstrip(".")
        if not name or name in (".", "..") or "/" in name or "\0" in name:
            raise damaged(f"a file is called {name!r}")
        return name

    def _text(self, raw: bytes) -> str:
        return raw.decode("utf-16-be", "replace") if self._wide else raw.decode("ascii", "replace")


def _time(raw: bytes) -> int:
    """Return the seconds since 1970 of a record's time: years since 1900, …, quarters of an hour from Greenwich."""
    year, month, day, hour, minute, second, zone = raw
    quarters = zone - 256 if zone > 127 else zone
    if not -48 <= quarters <= 52:
        return 0
    try:
        local = datetime(
            1900 + year, month, day, hour, minute, second, tzinfo=timezone(timedelta(minutes=15 * quarters))
        )
    except ValueError:  # no time was set
        return 0
    return int(local.astimezone(UTC).timestamp())
