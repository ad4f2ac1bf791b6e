"""Say what a machine is by reading its disks: nothing of it is started, mounted or written to.

    found = inspect([disk.blocks for disk in source.disks])
    found.survey.systems[0].pretty              "Debian GNU/Linux 12 (bookworm)"
    for machine in found.machines(): …          # what fixes are planned from

What cannot be read is said in the survey's notes, and never keeps the rest from being found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from jeos.convert.machine import Machine
from jeos.convert.survey import Disk, Survey, System, Volume
from jeos.convert.systems import Place, kind_of
from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks
from jeos.disk.filesystems.base import FileSystem, Measured, Subvolumes
from jeos.disk.filesystems.detect import Found, open_volume
from jeos.disk.root import Mounted, Root
from jeos.disk.volumes import layout
from jeos.disk.volumes.base import Layout
from jeos.disk.volumes.base import Volume as Part

SUBVOLUMES_LOOKED_AT = 64  # of one file system, for systems; the rest are snapshots


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """The survey, and what it was made from: where volumes are, their open file systems, the files of each system."""

    survey: Survey
    layout: Layout
    filesystems: Mapping[str, FileSystem]
    roots: tuple[Root, ...]

    def machines(self) -> tuple[Machine, ...]:
        """Return each system with its files, in the survey's order."""
        pairs = zip(self.survey.systems, self.roots, strict=True)
        return tuple(Machine(survey=self.survey, system=system, root=root) for system, root in pairs)

    def part(self, name: str) -> Part | None:
        """Return the volume with that name, as it lies on the disks."""
        return next((part for part in self.layout.volumes if part.name == name), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """What is on the disks, before anybody asks which systems that are."""

    survey: Survey
    layout: Layout
    filesystems: Mapping[str, FileSystem]
    first_sectors: Mapping[str, bytes]
    notes: tuple[str, ...]

    def places(self) -> Iterator[Place]:
        """Yield all that may hold a system."""
        for mounted in _candidates(self.filesystems):
            yield Place(
                survey=self.survey,
                filesystems=self.filesystems,
                mounted=mounted,
                first_sectors=self.first_sectors,
            )


def inspect(disks: Sequence[Blocks]) -> Inspection:
    """Read the disks of one machine, in its order. Raises InputError only if there is no disk."""
    looked = _look(disks)
    notes = list(looked.notes)
    systems: list[System] = []
    roots: list[Root] = []
    for place in looked.places():
        try:
            described = _system(place)
        except InputError as error:
            notes.append(f"{place.mounted.volume}: {error.message}")
            continue
        if described is not None:
            systems.append(described[0])
            roots.append(described[1])
    survey = replace(looked.survey, systems=tuple(systems), notes=tuple(notes))
    return Inspection(survey, looked.layout, looked.filesystems, tuple(roots))


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """The files of a machine: over all its mounts for each system, and each file system by its volume's name."""

    systems: Mapping[str, Root]  # by the volume that holds the system
    filesystems: Mapping[str, FileSystem]
    notes: tuple[str, ...]


def files(disks: Sequence[Blocks]) -> Files:
    """Find the files on the disks of one machine, and read no more of them than what is mounted where.

    Raises InputError only if there is no disk.
    """
    looked = _look(disks)
    notes = list(looked.notes)
    systems: dict[str, Root] = {}
    for place in looked.places():
        kind = kind_of(place.root)
        if kind is not None:
            try:
                systems.setdefault(place.mounted.volume, kind.files(place, notes=notes))
            except InputError as error:
                notes.append(f"{place.mounted.volume}: {error.message}")
    return Files(systems, looked.filesystems, tuple(notes))


def _look(disks: Sequence[Blocks]) -> _Looked:
    """Find volumes and open what can be read on them. Raises InputError if there is no disk."""
    if not disks:
        raise InputError("there is no disk to look at")
    found = layout.read(disks)
    notes = list(found.notes)
    volumes: list[Volume] = []
    filesystems: dict[str, FileSystem] = {}
    for part in found.volumes:
        volume, filesystem = _volume(part, notes=notes)
        volumes.append(volume)
        if filesystem is not None:
            filesystems[part.name] = filesystem
    tables = tuple(Disk(table.disk, table.size, table.kind, table.uuid, table.sector) for table in found.tables)
    first_sectors = {
        table.disk: disk.read(0, min(disk.size, 512)) for table, disk in zip(found.tables, disks, strict=True)
    }
    survey = Survey(disks=tables, volumes=tuple(volumes))
    return _Looked(survey, found, filesystems, first_sectors, tuple(notes))


def _volume(part: Part, *, notes: list[str]) -> tuple[Volume, FileSystem | None]:
    """Return what a volume is and holds, and its file system if that can be read."""
    used, clean = None, True
    try:
        found, filesystem = open_volume(part.blocks)
        if isinstance(filesystem, Measured):
            usage = filesystem.usage()
            used, clean = usage.used, usage.clean
    except InputError as error:
        found, filesystem = Found("", failure=error.message), None
    if found.failure:
        notes.append(f"{part.name}: {found.failure}")
    elif found.kind in ("crypto_LUKS", "BitLocker"):
        notes.append(f"{part.name} is encrypted ({found.kind}): what is in it was not seen")
    elif found.kind == "linux_raid_member":
        notes.append(f"{part.name} is a part of a software RAID, which jeos does not put together")
    if not clean:
        notes.append(f"{part.name} was not shut down cleanly; the journal of its {found.kind} has not been replayed")
    volume = Volume(
        name=part.name,
        kind=part.kind,
        size=part.blocks.size,
        disk=part.disk,
        number=part.number,
        start=part.pieces[0].start if part.pieces else 0,
        type=part.type,
        label=part.label,
        id=part.id,
        content=found.kind,
        uuid=found.uuid,
        title=found.label,
        used=used,
        clean=clean,
    )
    return volume, filesystem


def _candidates(filesystems: Mapping[str, FileSystem]) -> Iterator[Mounted]:
    """Yield all that may be the root of a system: file systems, and of btrfs those subvolumes that are no snapshots."""
    for name, filesystem in filesystems.items():
        if isinstance(filesystem, Subvolumes):
            yield from _subvolumes(name, filesystem)
        else:
            yield Mounted("", filesystem, volume=name)


def _subvolumes(volume: str, filesystem: Subvolumes) -> Iterator[Mounted]:
    """Yield the subvolumes that are started from: the default one, or those that say so in their own fstab.

    Where neither is a system, all that are: a snapshot of a lost root is better than nothing.
    """
    systems = []
    for path in islice(filesystem.subvolumes(), SUBVOLUMES_LOOKED_AT):
        try:
            mounted = Mounted("", filesystem.subvolume(path), volume=volume, subvolume=path)
        except InputError:
            continue
        if kind_of(Root([mounted])) is not None:
            systems.append(mounted)
            if len(systems) == 1 and path == next(iter(filesystem.subvolumes())):
                break
    if len(systems) > 1:
        systems = [mounted for mounted in systems if _is_own_root(mounted)] or systems
    yield from systems


def _is_own_root(mounted: Mounted) -> bool:
    """Tell whether a system's fstab mounts at "/" the subvolume that it is in."""
    for line in Root([mounted]).text_or_empty("etc/fstab").splitlines():
        words = line.split()
        if len(words) > 3 and not words[0].startswith("#") and words[1] == "/":
            options = [option.partition("=") for option in words[3].split(",")]
            return any(name == "subvol" and value.strip("/") == mounted.subvolume for name, _, value in options)
    return False


def _system(place: Place) -> tuple[System, Root] | None:
    """Return the system whose root a file system is, with its files; None if it is nobody's."""
    kind = kind_of(place.root)
    return None if kind is None else kind.describe(place)
