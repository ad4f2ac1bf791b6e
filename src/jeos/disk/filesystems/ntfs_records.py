"""NTFS's records: the boot sector, file records with their attributes, and lists of runs of clusters.

Everything here turns bytes into values and reads no disk. Source of the format: the layout that Windows writes, as the
Linux kernel's `fs/ntfs3/ntfs.h` and ntfs-3g's `layout.h` describe it; numbers are little-endian throughout.
"""

import struct
from dataclasses import dataclass

from jeos.core.errors import InputError

SECTOR = 512  # the stride of fix-ups, also on disks with larger sectors
MFT, VOLUME, ROOT = 0, 3, 5  # file records that have a fixed number
FIRST_USER = 16  # those below belong to the file system itself

STANDARD_INFORMATION = 0x10
ATTRIBUTE_LIST = 0x20
FILE_NAME = 0x30
VOLUME_NAME = 0x60
VOLUME_INFORMATION = 0x70
DATA = 0x80
INDEX_ROOT = 0x90
INDEX_ALLOCATION = 0xA0
REPARSE_POINT = 0xC0
END = 0xFFFFFFFF

IN_USE = 0x0001  # flags of a file record
DIRECTORY = 0x0002
COMPRESSED = 0x0001  # flags of an attribute
ENCRYPTED = 0x4000
READ_ONLY = 0x0001  # flags of a file (FILE_ATTRIBUTE_…)

_BOOT_NAME = b"NTFS    "
_RECORD_SIZES = (1024, 2048, 4096)
_LARGEST_CLUSTER = 2 << 20  # of Windows 10; before it was 64 KiB
_LARGEST_INDEX = 64 << 10
_REFERENCE = (1 << 48) - 1  # the record's number within a reference; above it, how often the record was used again
_EPOCH = 11_644_473_600  # seconds from 1601 to 1970


def damaged(what: str) -> InputError:
    """Return the error for a file system that contradicts itself."""
    return InputError(f"the NTFS file system is damaged: {what}", hint="run `chkdsk /f` in Windows, then try again")


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes in bytes, `clusters` how many there are, `mft` the first cluster of the table of file records."""

    cluster: int
    clusters: int
    mft: int
    record: int
    index: int
    serial: int


def is_ntfs(sector: bytes) -> bool:
    """Tell whether this is the first sector of an NTFS volume."""
    return len(sector) >= SECTOR and sector[3:11] == _BOOT_NAME and sector[510:512] == b"\x55\xaa"


def parse_boot(sector: bytes) -> Geometry:
    """Read the boot sector. Raises InputError if it is none of NTFS or its numbers cannot be."""
    if not is_ntfs(sector):
        raise damaged("there is no boot sector of NTFS")
    bytes_per_sector, per_cluster = struct.unpack_from("<HB", sector, 11)
    sectors, mft = struct.unpack_from("<QQ", sector, 0x28)
    serial = struct.unpack_from("<Q", sector, 0x48)[0]
    if bytes_per_sector not in (512, 1024, 2048, 4096):
        raise damaged(f"its sectors have {bytes_per_sector} bytes")
    cluster = bytes_per_sector * (per_cluster if per_cluster <= 0x80 else 1 << min(256 - per_cluster, 16))
    if not SECTOR <= cluster <= _LARGEST_CLUSTER or cluster & (cluster - 1):
        raise damaged(f"its clusters have {cluster} bytes")
    record, index = (_record_size(sector[place], cluster) for place in (0x40, 0x44))
    if record not in _RECORD_SIZES:
        raise damaged(f"its file records have {record} bytes")
    if not SECTOR <= index <= max(_LARGEST_INDEX, cluster) or index & (index - 1):
        raise damaged(f"its index blocks have {index} bytes")
    return Geometry(cluster, sectors * bytes_per_sector // cluster, mft, record, index, serial)


def _record_size(code: int, cluster: int) -> int:
    """Return a size that is given in clusters, or as the negative power of two in bytes."""
    return code * cluster if code < 0x80 else 1 << min(256 - code, 31)


def fix_up(block: bytes, magic: bytes) -> bytearray:
    """Put back the last two bytes of each sector, which were replaced when the block was written.

    Raises InputError for a block with another magic number, or one that was written in part.
    """
    if block[:4] != magic:
        raise damaged(f"a block starts with {block[:4]!r} instead of {magic!r}")
    offset, count = struct.unpack_from("<HH", block, 4)
    if offset + 2 * count > len(block) or (count - 1) * SECTOR != len(block) or offset % 2:
        raise damaged("the table of a block's last bytes is not where it should be")
    fixed = bytearray(block)
    number = block[offset : offset + 2]
    for sector in range(1, count):
        end = sector * SECTOR
        if block[end - 2 : end] != number:
            raise damaged("a block was written only in part")
        fixed[end - 2 : end] = block[offset + 2 * sector : offset + 2 * sector + 2]
    return fixed


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute, or one extent of it: resident with its `value`, or not, with where its `runs` are.

    `first` is the first virtual cluster of the extent, `unit` the clusters of a unit of compression (0 for none);
    `size` and `valid` are what the first extent says: bytes, and how many of them were ever written.
    """

    type: int
    name: str
    flags: int
    instance: int
    value: bytes | None
    runs: bytes = b""
    first: int = 0
    last: int = -1
    unit: int = 0
    size: int = 0
    valid: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A file record: its flags, how many names it has, and its attributes; `base` is another's number, or 0."""

    number: int
    flags: int
    links: int
    base: int
    attributes: tuple[Attribute, ...]

    def all(self, kind: int, name: str = "") -> list[Attribute]:
        """Return the attributes of a type and name."""
        return [item for item in self.attributes if item.type == kind and item.name == name]


def parse_record(block: bytes, number: int) -> Record:
    """Read a file record. Raises InputError if it contradicts itself."""
    fixed = bytes(fix_up(block, b"FILE"))
    links, offset, flags, used = struct.unpack_from("<HHHI", fixed, 0x12)
    base = struct.unpack_from("<Q", fixed, 0x20)[0] & _REFERENCE
    end = min(used, len(fixed))
    attributes = []
    while offset + 8 <= end:
        kind, length = struct.unpack_from("<II", fixed, offset)
        if kind == END:
            break
        if length < 0x18 or length % 8 or offset + length > end:
            raise damaged(f"an attribute of file record {number} has {length} bytes")
        attributes.append(_attribute(fixed[offset : offset + length], kind))
        offset += length
    return Record(number, flags, links, base, tuple(attributes))


def _attribute(raw: bytes, kind: int) -> Attribute:
    outside, name_length, name_offset, flags, instance = struct.unpack_from("<BBHHH", raw, 8)
    name = raw[name_offset : name_offset + 2 * name_length].decode("utf-16-le", "surrogatepass")
    if not outside:
        length, offset = struct.unpack_from("<IH", raw, 0x10)
        if offset + length > len(raw):
            raise damaged("the value of an attribute reaches beyond it")
        return Attribute(kind, name, flags, instance, raw[offset : offset + length], size=length, valid=length)
    if len(raw) < 0x40:
        raise damaged("an attribute is too short for its runs")
    first, last, runs, unit = struct.unpack_from("<QQHH", raw, 0x10)
    size, valid = struct.unpack_from("<QQ", raw, 0x30)
    if runs > len(raw) or unit > 16:
        raise damaged("the runs of an attribute are not within it")
    return Attribute(
        kind, name, flags, instance, None, raw[runs:], first, last, 1 << unit if unit else 0, size, min(valid, size)
    )


@dataclass(frozen=True, slots=True)
class Run:
    """Clusters that follow each other: `first` is the virtual cluster, `cluster` where it is, None for a hole."""

    first: int
    count: int
    cluster: int | None


def parse_runs(packed: bytes, *, first: int, clusters: int) -> list[Run]:
    """Unpack the mapping pairs of one extent, whose first virtual cluster is `first`, on a volume of `clusters`.

    Raises InputError for runs outside of the volume.
    """
    runs: list[Run] = []
    position, cluster = 0, 0
    while position < len(packed) and packed[position]:
        count_bytes, place_bytes = packed[position] & 15, packed[position] >> 4
        position += 1
        after = position + count_bytes + place_bytes
        if not 1 <= count_bytes <= 8 or place_bytes > 8 or after > len(packed):
            raise damaged("a list of runs is cut off")
        count = int.from_bytes(packed[position : position + count_bytes], "little")
        step = int.from_bytes(packed[position + count_bytes : after], "little", signed=True)
        position = after
        if not 0 < count < 1 << 48:
            raise damaged(f"a run of {count} clusters")
        cluster += step
        if place_bytes and not 0 <= cluster <= clusters - count:
            raise damaged(f"a run of {count} clusters at cluster {cluster} of {clusters}")
        runs.append(Run(first, count, cluster if place_bytes else None))
        first += count
    return runs


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of an attribute list: which record holds which extent of an attribute."""

    type: int
    first: int
    record: int


def parse_list(value: bytes) -> list[Listed]:
    """Read an attribute list."""
    found = []
    offset = 0
    while offset + 0x1A <= len(value):
        kind, length, _, _, first, record, _ = struct.unpack_from("<IHBBQQH", value, offset)
        if length < 0x1A:
            raise damaged("a line of an attribute list has no length")
        found.append(Listed(kind, first, record & _REFERENCE))
        offset += length
    return found


@dataclass(frozen=True, slots=True)
class Name:
    """A name in a folder's index: `space` 2 is a short one for DOS, that stands beside the real one."""

    record: int
    name: str
    space: int


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An entry of an index: its name (None for the end of a block), and the block with what comes before it."""

    name: Name | None
    below: int | None


def parse_index(block: bytes, header: int) -> list[IndexEntry]:
    """Read the entries behind an index header at an offset of a block. Raises InputError if they do not fit."""
    if header + 16 > len(block):
        raise damaged("an index block is too short")
    offset, used = struct.unpack_from("<II", block, header)
    offset, end = header + offset, min(header + used, len(block))
    found = []
    while offset + 16 <= end:
        record, length, key, flags = struct.unpack_from("<QHHH", block, offset)
        if length < 16 or offset + length > end or 16 + key > length:
            raise damaged("an entry of an index does not fit")
        below = None
        if flags & 1:
            below = int.from_bytes(block[offset + length - 8 : offset + length], "little")
        last = bool(flags & 2)
        found.append(IndexEntry(None if last else _name(record, block[offset + 16 : offset + 16 + key]), below))
        if last:
            break
        offset += length
    return found


def _name(record: int, key: bytes) -> Name:
    if len(key) < 0x42 or 0x42 + 2 * key[0x40] > len(key):
        raise damaged("a name in an index is cut off")
    text = key[0x42 : 0x42 + 2 * key[0x40]].decode("utf-16-le", "surrogatepass")
    return Name(record & _REFERENCE, text, key[0x41])


def unix_time(ticks: int) -> int:
    """Return the seconds since 1970 of a time of Windows: tenths of a microsecond since 1601."""
    return ticks // 10_000_000 - _EPOCH
