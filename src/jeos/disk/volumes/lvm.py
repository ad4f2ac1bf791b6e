"""Logical volumes of LVM2 whose bytes lie in order: linear ones, of any number of parts on any number of disks.

    volumes, notes = read(partitions)

Physical volumes are found by their label, the newest intact metadata of each group counts, and each logical volume
is put together from its extents. Kinds whose bytes are elsewhere (thin, RAID, mirrors, snapshots, caches, stripes over
several disks) are said, and left out. After LVM2's lib/format_text/layout.h, and libblkid's superblocks/lvm.c.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.volumes import lvm_area
from jeos.disk.volumes.base import Joined, Piece, Volume
from jeos.disk.volumes.lvm_text import Section, Value, damaged
from jeos.model.image import SECTOR

_SEGMENTS_MOST = 100_000


def probe(blocks: Blocks) -> bool:
    """Tell whether this is a physical volume."""
    return lvm_area.label(blocks) is not None


def identity(blocks: Blocks) -> str:
    """Return a physical volume's UUID as LVM writes it, "" if it has none."""
    found = lvm_area.label(blocks)
    if found is None:
        return ""
    ends = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(found.identity[start:end] for start, end in pairwise(ends))


def read(candidates: Sequence[Volume]) -> tuple[tuple[Volume, ...], tuple[str, ...]]:
    """Return the logical volumes on these partitions and disks, and notes on those that cannot be read."""
    notes: list[str] = []
    groups: dict[str, tuple[int, Section]] = {}
    physical: dict[str, Volume] = {}
    for volume in candidates:
        try:
            found = _physical(volume)
        except InputError as error:
            notes.append(f"{volume.name}: {error.message}")
            continue
        if found is None:
            continue
        own, text = found
        if own in physical:
            notes.append(f"{volume.name} is a copy of the physical volume on {physical[own].name}, and is left out")
            continue
        physical[own] = volume
        for name, group in text.items():
            if isinstance(group, dict) and "physical_volumes" in group:
                sequence = _sequence({name: group})
                if name not in groups or groups[name][0] < sequence:
                    groups[name] = (sequence, group)
    volumes: list[Volume] = []
    for name, (_, group) in groups.items():
        volumes += _logical_volumes(name, group, physical=physical, notes=notes)
    return tuple(volumes), tuple(notes)


def _physical(volume: Volume) -> tuple[str, Section] | None:
    """Return the identity and the metadata of a physical volume, None if it is none."""
    found = lvm_area.label(volume.blocks)
    if found is None:
        return None
    _, areas = found.areas()
    best: Section = {}
    failure: InputError | None = None
    for start, _ in areas:
        try:
            text = lvm_area.read(volume.blocks, start=start).text
        except InputError as error:
            failure = error
            continue
        if text and _sequence(text) >= _sequence(best):
            best = text
    if failure and not best:
        raise failure
    return found.identity, best


def _sequence(text: Section) -> int:
    numbers = [group.get("seqno") for group in text.values() if isinstance(group, dict)]
    return max((number for number in numbers if isinstance(number, int)), default=-1)


def _logical_volumes(name: str, group: Section, *, physical: dict[str, Volume], notes: list[str]) -> Iterator[Volume]:
    try:
        extent = _number(group, "extent_size", name) * SECTOR
        parts = {
            key: (physical.get(_text(part, "id", key).replace("-", "")), _number(part, "pe_start", key) * SECTOR)
            for key, part in _sections(group, "physical_volumes")
        }
        logical = list(_sections(group, "logical_volumes")) if "logical_volumes" in group else []
    except InputError as error:
        notes.append(f"volume group {name}: {error.message}")
        return
    for key, section in logical:
        if "VISIBLE" not in _list(section, "status"):
            continue  # a part of another volume
        try:
            yield _logical(f"{name}/{key}", section, extent=extent, parts=parts)
        except InputError as error:
            notes.append(f"{name}/{key}: {error.message}")


def _logical(name: str, section: Section, *, extent: int, parts: dict[str, tuple[Volume | None, int]]) -> Volume:
    joined: list[tuple[Blocks, int, int]] = []
    pieces: list[Piece] = []
    at = 0
    for start, count, part, first in sorted(_segments(section)):
        if start != at:
            raise damaged(f"its extents {at} to {start} are nowhere")
        at += count
        volume, offset = parts.get(part, (None, 0))
        if volume is None:
            raise InputError(
                f"it lies in part on the physical volume {part}, which is on none of the disks",
                hint="give all disks of the machine",
            )
        place = offset + first * extent
        joined.append((volume.blocks, place, count * extent))
        pieces += _within(volume.pieces, place, count * extent)
    blocks = Joined(joined)
    return Volume(name, "logical", blocks, tuple(pieces), id=_text(section, "id", name))


def _segments(section: Section) -> Iterator[tuple[int, int, str, int]]:
    """Yield first extent, number of extents, physical volume and the first extent on it."""
    segments = [(key, value) for key, value in section.items() if key.startswith("segment") and isinstance(value, dict)]
    if len(segments) > _SEGMENTS_MOST:
        raise damaged(f"{len(segments)} segments")
    for key, segment in segments:
        kind = _text(segment, "type", key)
        stripes = _list(segment, "stripes")
        if kind not in ("striped", "linear") or len(stripes) != 2:
            shown = f"{kind} over {len(stripes) // 2} disks" if kind == "striped" else kind
            raise InputError(f"it is of the kind {shown}, which jeos does not read")
        part, first = stripes
        if not isinstance(part, str) or not isinstance(first, int) or first < 0:
            raise damaged(f"{key} lies on {part!r}")
        yield _number(segment, "start_extent", key), _number(segment, "extent_count", key), part, first


def _within(pieces: Sequence[Piece], start: int, size: int) -> Iterator[Piece]:
    """Yield the pieces of disks that a part of a volume lies in."""
    at = 0
    for piece in pieces:
        first, last = max(start, at), min(start + size, at + piece.size)
        if first < last:
            yield Piece(piece.disk, piece.start + first - at, last - first)
        at += piece.size


def _sections(section: Section, key: str) -> Iterator[tuple[str, Section]]:
    inner = section.get(key)
    if not isinstance(inner, dict):
        raise damaged(f"it has no {key}")
    for name, value in inner.items():
        if isinstance(value, dict):
            yield name, value


def _number(section: Section, key: str, where: str) -> int:
    value = section.get(key)
    if not isinstance(value, int) or value < 0:
        raise damaged(f"{key} of {where} is {value!r}")
    return value


def _text(section: Section, key: str, where: str) -> str:
    value = section.get(key)
    if not isinstance(value, str):
        raise damaged(f"{key} of {where} is {value!r}")
    return value


def _list(section: Section, key: str) -> list[Value]:
    value = section.get(key)
    return value if isinstance(value, list) else []
