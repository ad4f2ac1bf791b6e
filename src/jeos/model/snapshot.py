"""A backup point: one machine, or one set of disks, as it was at one instant; and the list of chunks of each disk.

    point.name                          "web01/2026-11-28T20-15-03Z-9c1f"
    point.disks[0].manifest.segments    ids of segments, each the list of the 1,024 chunks of 64 MiB of the disk

A manifest has two levels, so that a point of an unchanged disk is small: the point names segments, which lie in the
vault as chunks themselves, and zeros are named nowhere. A segment in which little changed says only what differs from
an earlier one (its `base`, which never has a base itself), so that what a point costs follows what changed.
`docs/reference/vault.md` describes both for those who write a reader.
"""

import json
import re
import struct
from dataclasses import dataclass
from enum import StrEnum

from jeos.core.errors import InputError

CHUNK = 64 << 10  # bytes, at absolute offsets of the disk: what QEMU's dirty bitmaps count in, too
PER_SEGMENT = 1024  # chunks
SEGMENT = CHUNK * PER_SEGMENT  # bytes of a disk
ID = 32  # bytes of a chunk's id
ZEROS = bytes(ID)  # stands for a chunk of zeros, which is stored nowhere
LARGEST_DISK = 64 << 40  # bytes; a manifest of it has 2^20 segments
MOST_DISKS = 64
FORMAT = "jeos-point-1"
WHOLE, CHANGES = b"jeos-seg", b"jeos-dif"  # how a segment's chunk begins
MOST_CHANGES = 256  # of a segment that has a base; beyond, a whole one is hardly larger and quicker to read

_CHANGE = struct.Struct(f">H{ID}s")
_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z-[0-9a-f]{4,16}"
)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_HINT = "`jeos backup verify` tells which points can be read"


class Consistency(StrEnum):
    """What is known about the state in which a disk was captured."""

    CRASH = "crash"  # as after a power cut: the machine ran, and nobody in it was asked
    FILE_SYSTEM = "file-system"  # the guest's file systems were frozen, and its hooks had run
    STOPPED = "stopped"  # nothing wrote to it


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a disk of `size` bytes consists of: for each 64 MiB the id of its segment, or "" where all is zeros."""

    size: int
    segments: tuple[bytes, ...]

    @classmethod
    def empty(cls, size: int) -> "Manifest":
        """Return the manifest of a disk of zeros."""
        return cls(size=size, segments=(b"",) * -(-size // SEGMENT))


@dataclass(frozen=True, slots=True)
class Segment:
    """The ids of 1,024 chunks, `ZEROS` for a chunk of zeros; with a `base`, those that differ from it are `changes`."""

    ids: bytes  # all of them, one behind the other
    base: bytes = b""

    def at(self, number: int) -> bytes:
        """Return the id of a chunk by its number within the segment."""
        return self.ids[number * ID : (number + 1) * ID]


@dataclass(frozen=True, slots=True)
class PointDisk:
    """One disk of a point; `data` are the bytes of its chunks that are not zeros.

    `format` is what its file was in, and what it is restored to unless another one is asked for. `bitmap` is the name
    of the dirty bitmap that began at this instant, "" where there is none: what it says may save reading, and is
    never needed.
    """

    name: str
    format: str
    manifest: Manifest
    data: int
    bitmap: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a machine, complete by itself.

    `number` counts the points of a machine and stays when others are deleted; `taken` is in UTC. `parent` is the name
    of the point that it was compared with, `read` the bytes that were read and `new` those that were stored. `machine`
    is the machine's description (`machine.json`) so that it can be started, "" for bare disks; `nvram` is the chunk
    with its firmware's variables.
    """

    name: str
    number: int
    taken: str
    consistency: Consistency
    disks: tuple[PointDisk, ...]
    parent: str = ""
    read: int = 0
    new: int = 0
    machine: str = ""
    nvram: bytes = b""
    notes: tuple[str, ...] = ()

    @property
    def owner(self) -> str:
        """Return the name of the machine."""
        return self.name.partition("/")[0]

    @property
    def size(self) -> int:
        """Return the bytes of all disks together."""
        return sum(disk.manifest.size for disk in self.disks)

    @property
    def data(self) -> int:
        """Return the bytes of all disks that are not zeros, as chunks count them."""
        return sum(disk.data for disk in self.disks)


def segment_bytes(segment: Segment, *, base: Segment | None = None) -> bytes:
    """Return a segment as it is stored; with `base` (whose id is `segment.base`) only what differs from it."""
    if not segment.base or base is None:
        return WHOLE + segment.ids
    return CHANGES + segment.base + b"".join(_CHANGE.pack(*change) for change in changes(segment.ids, base.ids))


def changes(ids: bytes, before: bytes) -> list[tuple[int, bytes]]:
    """Return the numbers and ids of the chunks of a segment that are not what they were before."""
    if ids == before:
        return []
    spans = range(0, len(ids), ID)
    return [(at // ID, ids[at : at + ID]) for at in spans if ids[at : at + ID] != before[at : at + ID]]


def base_of(data: bytes) -> bytes:
    """Return the id of the segment that a stored one says its changes of, b"" for a whole one. Raises InputError."""
    if data[: len(CHANGES)] != CHANGES:
        return b""
    base = data[len(CHANGES) : len(CHANGES) + ID]
    if len(base) < ID or base == ZEROS:
        raise _damaged("its base has no id")
    return base


def parse_segment(data: bytes, *, base: Segment | None = None) -> Segment:
    """Read a segment as it is stored; `base` is the one that `base_of` names. Raises InputError."""
    named = base_of(data)
    if not named:
        if data[: len(WHOLE)] != WHOLE or len(data) != len(WHOLE) + ID * PER_SEGMENT:
            raise _damaged(f"{len(data)} bytes are no segment")
        return Segment(ids=data[len(WHOLE) :])
    if base is None or base.base:
        raise _damaged("its base is none")
    body = memoryview(data)[len(CHANGES) + ID :]
    if not body or len(body) % _CHANGE.size or len(body) > MOST_CHANGES * _CHANGE.size:
        raise _damaged(f"{len(body)} bytes are no list of changes")
    ids, last = bytearray(base.ids), -1
    for number, chunk_id in _CHANGE.iter_unpack(body):
        if not last < number < PER_SEGMENT or chunk_id == base.at(number):
            raise _damaged(f"its change of chunk {number} is out of order, or none")
        ids[number * ID : (number + 1) * ID] = chunk_id
        last = number
    return Segment(ids=bytes(ids), base=named)


def point_text(point: Point) -> bytes:
    """Return a point as its document: JSON in one form only, so that equal points are equal bytes."""
    fields = {
        "format": FORMAT,
        "name": point.name,
        "number": point.number,
        "taken": point.taken,
        "consistency": point.consistency.value,
        "disks": [_disk_fields(disk) for disk in point.disks],
        "parent": point.parent,
        "read": point.read,
        "new": point.new,
        "machine": point.machine,
        "nvram": point.nvram.hex(),
        "notes": list(point.notes),
    }
    return (json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _disk_fields(disk: PointDisk) -> dict[str, object]:
    return {
        "name": disk.name,
        "format": disk.format,
        "size": disk.manifest.size,
        "data": disk.data,
        "bitmap": disk.bitmap,
        "segments": _runs(disk.manifest.segments),
    }


def _runs(segments: tuple[bytes, ...]) -> list[str | int]:
    """Return ids as hexadecimal, and each run of segments of zeros as their number."""
    runs: list[str | int] = []
    for segment in segments:
        if segment:
            runs.append(segment.hex())
        elif runs and isinstance(runs[-1], int):
            runs[-1] += 1
        else:
            runs.append(1)
    return runs


def parse_point(document: bytes, *, name: str) -> Point:
    """Read the document of the point with that name. Raises InputError if it is none, or another one's."""
    try:
        fields = json.loads(document)
        found = _point(fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"the point {name} cannot be read: its document is damaged", hint=_HINT) from None
    if found.name != name:
        raise InputError(f"the point {name} says that it is {found.name[:200]!r}", hint=_HINT)
    return found


def _point(fields: dict[str, object]) -> Point:
    if fields["format"] != FORMAT:
        raise ValueError("another format")
    name, taken, disks = _text(fields["name"]), _text(fields["taken"]), fields["disks"]
    if not _NAME.fullmatch(name) or not _TIME.fullmatch(taken) or not isinstance(disks, list):
        raise ValueError("a name, a time and disks")
    if not 0 < len(disks) <= MOST_DISKS:
        raise ValueError("no disks, or too many")
    nvram, notes = bytes.fromhex(_text(fields["nvram"])), fields["notes"]
    if len(nvram) not in (0, ID) or not isinstance(notes, list):
        raise ValueError("an id, and notes")
    return Point(
        name=name,
        number=_count(fields["number"]),
        taken=taken,
        consistency=Consistency(_text(fields["consistency"])),
        disks=tuple(_disk(disk) for disk in disks),
        parent=_text(fields["parent"]),
        read=_count(fields["read"]),
        new=_count(fields["new"]),
        machine=_text(fields["machine"]),
        nvram=nvram,
        notes=tuple(_text(note) for note in notes),
    )


def _disk(fields: dict[str, object]) -> PointDisk:
    size, runs = _count(fields["size"]), fields["segments"]
    if size > LARGEST_DISK or not isinstance(runs, list):
        raise ValueError("too large a disk")
    most, segments = -(-size // SEGMENT), []
    for run in runs:
        if isinstance(run, str):
            segment = bytes.fromhex(run)
            if len(segment) != ID or segment == ZEROS:
                raise ValueError("not an id")
            segments.append(segment)
        else:
            zeros = _count(run)
            if not 0 < zeros <= most - len(segments):
                raise ValueError("too many segments")
            segments += [b""] * zeros
    if len(segments) != most:
        raise ValueError("not as many segments as the disk has")
    return PointDisk(
        name=_text(fields["name"]),
        format=_text(fields["format"]),
        manifest=Manifest(size=size, segments=tuple(segments)),
        data=_count(fields["data"]),
        bitmap=_text(fields["bitmap"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    value.encode()  # surrogates would be no text
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError("not a number")
    return value


def _damaged(why: str) -> InputError:
    return InputError(f"a list of chunks is damaged: {why}", hint=_HINT)
