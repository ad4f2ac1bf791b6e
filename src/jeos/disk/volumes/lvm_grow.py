"""Let a physical volume of LVM2 take all of its place, and give what is new to one logical volume.

    for patch in plan(partition, volume="vg0/root"):       # nothing is written here
        file.seek(start_of_the_partition + patch.offset)
        file.write(patch.content)

What `pvresize` and `lvextend` do, on the group's description alone: the physical volume gets more extents, the logical
volume the new ones. Groups that lie on one physical volume with one area of descriptions can be grown so, which is what
installers make. After LVM2's lib/format_text (layout.h, import_vsn1.c).
"""

from copy import deepcopy
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.volumes import lvm_area
from jeos.disk.volumes.lvm_area import Area, Label
from jeos.disk.volumes.lvm_text import Section, Value, damaged, render
from jeos.model.image import SECTOR


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes to write at an offset of the physical volume; several are to be written in their order."""

    offset: int
    content: bytes


def plan(blocks: Blocks, *, volume: str) -> tuple[Patch, ...]:
    """Return what to write for the physical volume on `blocks` to fill it, and for a volume ("group/volume") to grow.

    Nothing is to be written where there is no room for another extent. Raises InputError where LVM itself must do it.
    """
    label = lvm_area.label(blocks)
    if label is None:
        raise InputError("there is no physical volume")
    area = _only_area(label, blocks)
    group, _, logical = volume.partition("/")
    text = deepcopy(area.text or {})
    described = text.get(group)
    if not isinstance(described, dict):
        raise InputError(f"the group {group} is not described on it")
    if not _grow(described, logical, size=blocks.size):
        return ()
    # The group comes first, since LVM reads its name from the first bytes.
    whole: Section = {group: described, **{key: value for key, value in text.items() if key != group}}
    whole["description"] = "grown by jeos convert"
    written = render(whole).encode() + b"\0"
    place = area.next_place(len(written))
    if place is None:
        raise InputError("there is no room for another description of the group")
    return (
        Patch(area.start + place, written),
        Patch(area.start, area.pointing(place, written)),
        Patch(label.start, label.resized(blocks.size)),
    )


def _only_area(label: Label, blocks: Blocks) -> Area:
    """Return the area of descriptions, which must be the only one, and lie before the data."""
    data, areas = label.areas()
    if len(areas) != 1 or len(data) != 1 or areas[0][0] > data[0][0]:
        raise InputError("it has a second copy of the group's description")
    return lvm_area.read(blocks, start=areas[0][0])


def _grow(group: Section, logical: str, *, size: int) -> bool:
    """Change a group's description; returns False where not one extent would be new."""
    name, physical = _only_physical(group)
    extent, start, count = _number(group, "extent_size"), _number(physical, "pe_start"), _number(physical, "pe_count")
    if not extent:
        raise damaged("its extents are empty")
    sectors = size // SECTOR
    new = (sectors - start) // extent - count
    if new < 1:
        return False
    found = _section(group, "logical_volumes").get(logical)
    if not isinstance(found, dict):
        raise InputError(f"there is no volume {logical}")
    _refuse_busy(group, found, logical)
    _extend(found, physical=name, first=count, new=new)
    physical["pe_count"], physical["dev_size"] = count + new, sectors
    group["seqno"] = _number(group, "seqno") + 1
    return True


def _only_physical(group: Section) -> tuple[str, Section]:
    physical = list(_section(group, "physical_volumes").items())
    if len(physical) != 1:
        raise InputError(f"its group lies on {len(physical)} physical volumes")
    name, section = physical[0]
    if not isinstance(section, dict):
        raise damaged(f"{name} is no section")
    if not {"RESIZEABLE", "WRITE"} <= _words(group, "status") or "ALLOCATABLE" not in _words(section, "status"):
        raise InputError("its group does not allow that")
    if _words(group, "status") & {"EXPORTED", "CLUSTERED"} or group.get("lock_type", "none") != "none":
        raise InputError("its group is exported, or shared with other hosts")
    return name, section


def _refuse_busy(group: Section, found: Section, logical: str) -> None:
    """Raise InputError for a volume that is more than extents in a row: one with snapshots, or locked."""
    if "VISIBLE" not in _words(found, "status") or _words(found, "status") & {"LOCKED", "PVMOVE"}:
        raise InputError(f"the volume {logical} is locked")
    for section in _section(group, "logical_volumes").values():
        for segment in section.values() if isinstance(section, dict) else ():
            if isinstance(segment, dict) and logical in (segment.get("origin"), segment.get("merging_store")):
                raise InputError(f"the volume {logical} has snapshots")


def _extend(volume: Section, *, physical: str, first: int, new: int) -> None:
    """Give a linear volume the `new` extents from `first` on."""
    segments = [value for key, value in volume.items() if key.startswith("segment") and isinstance(value, dict)]
    if not segments or len(segments) != _number(volume, "segment_count"):
        raise damaged(f"{len(segments)} segments")
    for segment in segments:
        if segment.get("type") != "striped" or segment.get("stripe_count") != 1:
            raise InputError("the volume is not linear")
    last = max(segments, key=lambda segment: _number(segment, "start_extent"))
    end = _number(last, "start_extent") + _number(last, "extent_count")
    if last.get("stripes") == [physical, first - _number(last, "extent_count")]:
        last["extent_count"] = _number(last, "extent_count") + new
        return
    stripes: list[Value] = [physical, first]
    volume["segment_count"] = len(segments) + 1
    volume[f"segment{len(segments) + 1}"] = {
        "start_extent": end,
        "extent_count": new,
        "type": "striped",
        "stripe_count": 1,
        "stripes": stripes,
    }


def _section(section: Section, key: str) -> Section:
    found = section.get(key)
    if not isinstance(found, dict):
        raise damaged(f"it has no {key}")
    return found


def _number(section: Section, key: str) -> int:
    found = section.get(key)
    if not isinstance(found, int) or found < 0:
        raise damaged(f"{key} is {found!r}")
    return found


def _words(section: Section, key: str) -> set[str]:
    found = section.get(key)
    return {word for word in found if isinstance(word, str)} if isinstance(found, list) else set()
