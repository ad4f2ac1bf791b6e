"""NTFS, Windows's file system, read as `FileSystem`: compressed and sparse files, links and junctions included.

    filesystem = ntfs.open_filesystem(partition)
    filesystem.hibernated, filesystem.clean        # whether Windows would notice if someone wrote to it
    name, node = filesystem.lookup(filesystem.root(), "WINDOWS")       # ("Windows", Node(…)): whatever the case

The file system's own files ($MFT, $Extend, …) are not shown, and of two names of a file that differ only by space (the
short name for DOS), the real one is. A symbolic link, or a junction, to `C:\\…` leads to the top of its own volume.
What Windows keeps elsewhere (files in the cloud, deduplicated, or compressed with CompactOS) can be seen, but not read.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterator

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems import ntfs_records as records
from jeos.disk.filesystems.base import Node, Usage
from jeos.disk.filesystems.ntfs_data import Content
from jeos.disk.filesystems.ntfs_records import Attribute, IndexEntry, Name, Record, damaged
from jeos.model.tree import Kind

_INDEX = "$I30"  # the index of a folder's names
_DOS = 2  # the space of short names
_LIST_BYTES = 256 << 10  # of an attribute list, at most: Windows's own limit
_KEPT = 4096  # file records that stay in memory
_PAGE = 64 << 10  # bytes of the table of file records that are read at once
_LEVELS = 32  # blocks from the top of an index down: more is a loop
_LOGFILE, _BITMAP = 2, 6  # file records of the journal, and of which clusters are taken
_HIBERNATED = (b"hibr", b"wake", b"rstr")  # how hiberfil.sys starts, in either case, if there is a system in it

_MOUNT_POINT, _SYMLINK, _WSL_SYMLINK = 0xA0000003, 0xA000000C, 0xA000001D
_ELSEWHERE = {  # reparse points whose data is not in the file
    0x80000013: "deduplicated by Windows Server",
    0x80000017: "compressed by CompactOS",
}
_CLOUD = 0x9000001A  # with four bits of its own in the second half


def probe(blocks: Blocks) -> bool:
    """Tell whether there is an NTFS file system."""
    if blocks.size < records.SECTOR:
        return False
    try:
        records.parse_boot(blocks.read(0, records.SECTOR))
    except InputError:
        return False
    return True


def open_filesystem(blocks: Blocks) -> "Ntfs":
    """Open an NTFS file system. Raises InputError if there is none, or it contradicts itself."""
    return Ntfs(blocks)


class Ntfs:
    """An NTFS file system that is open for reading."""

    kind = "ntfs"

    def __init__(self, blocks: Blocks) -> None:
        """Read the boot sector and the start of the table of file records."""
        self._blocks = blocks
        self._geometry = records.parse_boot(blocks.read(0, records.SECTOR))
        self._records: OrderedDict[int, Record] = OrderedDict()
        self._page: tuple[int, bytes] = (-1, b"")
        self.uuid = f"{self._geometry.serial:016X}"
        self._table = self._open_table()
        volume = self._record(records.VOLUME)
        self.label = b"".join(item.value or b"" for item in volume.all(records.VOLUME_NAME)).decode(
            "utf-16-le", "replace"
        )
        self._flags = next(
            (
                struct.unpack_from("<H", item.value, 10)[0]
                for item in volume.all(records.VOLUME_INFORMATION)
                if item.value and len(item.value) >= 12
            ),
            0,
        )

    @property
    def dirty(self) -> bool:
        """Tell whether Windows wants to check the volume at its next start."""
        return bool(self._flags & 1)

    @property
    def clean(self) -> bool:
        """Tell whether nothing waits in the journal or for a check: whether the volume was put away in order."""
        return not self.dirty and self._journal_is_empty()

    @property
    def hibernated(self) -> bool:
        """Tell whether a system sleeps in hiberfil.sys: Windows was hibernated, or shut down for a fast start-up."""
        found = self.lookup(self.root(), "hiberfil.sys")
        if found is None or found[1].kind is not Kind.FILE:
            return False
        return self.read(found[1], length=4).lower() in _HIBERNATED

    def root(self) -> Node:
        """Return the root folder."""
        return self._node(records.ROOT)

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder and what they stand for, in the order of its index."""
        for name in self._names(self._folder(folder)):
            if name.space != _DOS and name.record >= records.FIRST_USER:
                yield name.name, self._node(name.record)

    def lookup(self, folder: Node, name: str) -> tuple[str, Node] | None:
        """Return the true name in a folder that only differs by capitals, and what it stands for."""
        wanted = name.casefold()
        for item in self._names(self._folder(folder)):
            if item.space != _DOS and item.record >= records.FIRST_USER and item.name.casefold() == wanted:
                return item.name, self._node(item.record)
        return None

    def child(self, folder: Node, name: str) -> Node | None:
        """Return what a name in a folder stands for, whatever its case."""
        found = self.lookup(folder, name)
        return found[1] if found else None

    def usage(self) -> Usage:
        """Return how full the volume is, and whether it was put away in order."""
        bitmap = self._content(self._extents(self._record(_BITMAP), records.DATA))
        clusters = min(self._geometry.clusters, 8 * bitmap.size)
        taken = 0
        for first in range(0, clusters, 8 * _PAGE):  # the bits behind the last cluster are set
            count = min(8 * _PAGE, clusters - first)
            bits = int.from_bytes(bitmap.read(first // 8, -(-count // 8)), "little")
            taken += (bits & ((1 << count) - 1)).bit_count()
        cluster = self._geometry.cluster
        return Usage(size=self._geometry.clusters * cluster, used=taken * cluster, clean=self.clean)

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file from `offset` on, all of them without `length`; fewer where the file ends.

        Raises InputError for a file that is encrypted, or whose content Windows keeps elsewhere.
        """
        record = self._record(node.number)
        tag, _ = self._reparse(record)
        why = "kept in the cloud" if tag & 0xFFFF0FFF == _CLOUD else _ELSEWHERE.get(tag)
        if why:
            raise InputError(f"a file of the Windows system is {why}, and cannot be read")
        extents = self._extents(record, records.DATA)
        return self._content(extents).read(offset, length) if extents else b""

    def _open_table(self) -> Content:
        """Open the table of file records, whose own record says where the rest of it is."""
        geometry = self._geometry
        first = records.parse_record(self._blocks.read(geometry.mft * geometry.cluster, geometry.record), 0)
        extents = [item for item in first.all(records.DATA) if item.value is None]
        self._table = self._content(extents)  # enough of it for the records that the list names
        for listed in self._list(first):
            if listed.type == records.DATA and listed.record != records.MFT:
                more = [item for item in self._record(listed.record).all(records.DATA) if item.first == listed.first]
                extents = sorted([*extents, *more], key=lambda item: item.first)
                self._table = self._content(extents)
        return self._content(extents)

    def _content(self, extents: list[Attribute]) -> Content:
        return Content(self._blocks, self._geometry, extents)

    def _record(self, number: int) -> Record:
        """Return a file record. Raises InputError if there is none of that number, or it is damaged."""
        kept = self._records.get(number)
        if kept is not None:
            self._records.move_to_end(number)
            return kept
        size = self._geometry.record
        page, place = divmod(number * size, _PAGE)
        if self._page[0] != page:
            self._page = (page, self._table.read(page * _PAGE, _PAGE))
        block = self._page[1][place : place + size]
        if len(block) < size:
            raise damaged(f"there is no file record {number}")
        record = records.parse_record(block, number)
        if not record.flags & records.IN_USE:
            raise damaged(f"file record {number} is not in use")
        self._records[number] = record
        if len(self._records) > _KEPT:
            self._records.popitem(last=False)
        return record

    def _list(self, record: Record) -> list[records.Listed]:
        found = record.all(records.ATTRIBUTE_LIST)
        if not found:
            return []
        content = self._content(found[:1])
        if content.size > _LIST_BYTES:
            raise damaged(f"file record {record.number} lists {content.size} bytes of attributes")
        return records.parse_list(content.read())

    def _extents(self, record: Record, kind: int, name: str = "") -> list[Attribute]:
        """Return the extents of an attribute in order, also those in other records."""
        found = record.all(kind, name)
        others = {item.record for item in self._list(record) if item.type == kind} - {record.number}
        for other in sorted(others):
            holder = self._record(other)
            if holder.base != record.number:
                raise damaged(f"file record {other} belongs to {holder.base}, not to {record.number}")
            found += holder.all(kind, name)
        return sorted(found, key=lambda item: item.first)

    def _folder(self, folder: Node) -> Record:
        record = self._record(folder.number)
        if not record.flags & records.DIRECTORY:
            raise damaged(f"file record {folder.number} is no folder")
        return record

    def _names(self, folder: Record) -> Iterator[Name]:
        """Yield the names in a folder's index, in its order. Raises InputError if the index goes round in circles."""
        roots = self._extents(folder, records.INDEX_ROOT, _INDEX)
        if not roots or roots[0].value is None or len(roots[0].value) < 32:
            raise damaged(f"the folder in file record {folder.number} has no index")
        size = struct.unpack_from("<I", roots[0].value, 8)[0]
        extents = self._extents(folder, records.INDEX_ALLOCATION, _INDEX)
        blocks = self._content(extents) if extents else None
        seen: set[int] = set()

        def below(number: int) -> list[IndexEntry]:
            if blocks is None or number in seen or len(seen) * size > blocks.size:
                raise damaged(f"the index of the folder in file record {folder.number} goes round in circles")
            seen.add(number)
            return self._index_block(blocks, number, size)

        trail = [iter(records.parse_index(roots[0].value, 16))]
        pending: list[Name | None] = [None]
        while trail:
            entry = next(trail[-1], None)
            if entry is None:
                trail.pop()
                name = pending.pop()
                if name is not None:
                    yield name
                continue
            if entry.below is None:
                if entry.name is not None:
                    yield entry.name
                continue
            if len(trail) >= _LEVELS:
                raise damaged(f"the index of the folder in file record {folder.number} is too deep")
            trail.append(iter(below(entry.below)))
            pending.append(entry.name)

    def _index_block(self, blocks: Content, number: int, size: int) -> list[IndexEntry]:
        """Return the entries of an index block; its number counts clusters, or sectors where blocks are smaller."""
        geometry = self._geometry
        if not records.SECTOR <= size <= max(geometry.index, geometry.cluster) or size % records.SECTOR:
            raise damaged(f"index blocks of {size} bytes")
        place = number * (geometry.cluster if size >= geometry.cluster else records.SECTOR)
        block = blocks.read(place, size)
        if len(block) < size:
            raise damaged(f"there is no index block {number}")
        return records.parse_index(bytes(records.fix_up(block, b"INDX")), 24)

    def _node(self, number: int) -> Node:
        record = self._record(number)
        information = record.all(records.STANDARD_INFORMATION)
        value = information[0].value if information else None
        mtime, flags = 0, 0
        if value is not None and len(value) >= 0x24:
            mtime = records.unix_time(struct.unpack_from("<Q", value, 8)[0])
            flags = struct.unpack_from("<I", value, 0x20)[0]
        tag, data = self._reparse(record)
        target = _target(tag, data)
        folder = bool(record.flags & records.DIRECTORY)
        kind = Kind.SYMLINK if target else Kind.DIRECTORY if folder else Kind.FILE
        extents = [] if folder or target else self._extents(record, records.DATA)
        return Node(
            number=number,
            kind=kind,
            mode=(0o555 if flags & records.READ_ONLY and kind is Kind.FILE else 0o777),
            mtime=mtime,
            size=extents[0].size if extents else 0,
            target=target,
            links=record.links - sum(_is_short(item) for item in record.all(records.FILE_NAME)),
        )

    def _reparse(self, record: Record) -> tuple[int, bytes]:
        """Return the tag and the data of a file's reparse point, 0 if it has none."""
        extents = self._extents(record, records.REPARSE_POINT)
        if not extents:
            return 0, b""
        value = self._content(extents).read(0, 16 << 10)  # Windows's own limit
        if len(value) < 8:
            return 0, b""
        tag, length = struct.unpack_from("<IH", value)
        return tag, value[8 : 8 + length]

    def _journal_is_empty(self) -> bool:
        """Tell whether the journal has nothing to replay: no client has it open, or it was never used."""
        content = self._content(self._extents(self._record(_LOGFILE), records.DATA))
        for place in (0, 4096):
            page = content.read(place, 4096)
            if page[:4] != b"RSTR":
                continue
            try:
                page = bytes(records.fix_up(page, b"RSTR"))
            except InputError:
                continue
            area = struct.unpack_from("<H", page, 0x18)[0]
            if area + 16 > len(page):
                continue
            in_use, flags = struct.unpack_from("<HH", page, area + 12)
            return in_use == 0xFFFF or bool(flags & 2)
        return True


def _is_short(name: Attribute) -> bool:
    """Tell whether a file's name is only the short one, that stands beside another."""
    return name.value is not None and len(name.value) > 0x41 and name.value[0x41] == _DOS


def _target(tag: int, data: bytes) -> str:
    """Return where a link or junction leads, in the form of Unix; "" for any other reparse point."""
    if tag == _WSL_SYMLINK:
        return data[4:].decode("utf-8", "replace")
    head = {_SYMLINK: 12, _MOUNT_POINT: 8}.get(tag)
    if head is None or len(data) < head:
        return ""
    start, length = struct.unpack_from("<HH", data)
    name = data[head + start : head + start + length].decode("utf-16-le", "replace").rstrip("\0")
    name = name.removeprefix("\\??\\").replace("\\", "/")
    if name[:2].upper() == "C:":
        name = "/" + name[2:].lstrip("/")
    elif name[1:2] == ":" or name.startswith("Volume{"):
        name = "/" + name  # another volume: a name that is not there
    return name.rstrip("/") or "/"
