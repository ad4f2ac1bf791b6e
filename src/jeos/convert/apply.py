"""Apply what fixes change to the copies of a machine's disks: planned per file system, done by its writer, read back.

    planned = plan(machine, changes)              # pure: which file system, which edits
    check(planned, survey)                        # is there room, are the programs there
    apply(planned, layout=layout, disks=[Path("work.raw")])

The disks that are written to are raw files with the same bytes as those that were inspected. A logical volume whose
parts lie apart is put together in a file first, and what has changed of it goes back to where it was.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.convert import write_ntfs
from jeos.convert.changed import Changed
from jeos.convert.changes import Append, Change, Link, Registry, Remove, Write
from jeos.convert.lent import Lent
from jeos.convert.survey import Survey
from jeos.convert.writers import writer_for
from jeos.convert.writers.base import Delete, Edit, Folder, Put, Symlink, parent
from jeos.core.errors import HostError, InputError
from jeos.disk.blocks import Blocks, File, Window
from jeos.disk.filesystems import base
from jeos.disk.filesystems.detect import open_filesystem
from jeos.disk.root import Mounted, Root
from jeos.disk.volumes.base import Volume
from jeos.model.tree import Kind

FILE_LIMIT = 1 << 30  # bytes of a file after its change: initrds, hives
SPARE = 1 << 20  # bytes of a file system that folders, inodes and maps may take beside contents
BLOCK = 4096  # bytes that the size of each file is rounded up to


@dataclass(frozen=True, slots=True)
class Part:
    """What is done to one file system: `edits` for all but NTFS, which takes the `changes` as they were planned.

    `growth` is how many bytes more it must hold.
    """

    volume: str
    kind: str
    edits: tuple[Edit, ...] = ()
    changes: tuple[Change, ...] = ()
    growth: int = 0


def plan(root: Root, changes: Sequence[Change]) -> tuple[Part, ...]:
    """Return what the changes mean for each file system. Raises InputError for what cannot be done."""
    foreign: list[Change] = []
    plain: list[Change] = []
    for change in changes:
        (foreign if _mounted(root, change).filesystem.kind == "ntfs" else plain).append(change)
    after = Changed(root, plain)
    found: dict[str, dict[tuple[str, bool], _Planned]] = {}
    for change in plain:
        for one in _planned(root, after, change):
            own = found.setdefault(one.mounted.volume, {})
            own[one.edit.path, isinstance(one.edit, Folder)] = one
    parts = [
        Part(
            volume,
            next(iter(own.values())).mounted.filesystem.kind,
            edits=tuple(one.edit for one in own.values()),
            growth=sum(one.growth for one in own.values()),
        )
        for volume, own in found.items()
    ]
    return (*parts, *_foreign_parts(root, foreign))


@dataclass(frozen=True, slots=True, eq=False)
class _Planned:
    """An edit, the mount that it is in, and how many bytes more its file then takes."""

    mounted: Mounted
    edit: Edit
    growth: int = 0


def _mounted(root: Root, change: Change) -> Mounted:
    return root.locate(change.path, follow=not isinstance(change, Link | Remove))[0]


def _foreign_parts(root: Root, changes: Sequence[Change]) -> Iterable[Part]:
    """Return the changes to NTFS, with paths within the file system."""
    found: dict[str, list[Change]] = {}
    for change in changes:
        mounted, path = root.locate(change.path, follow=not isinstance(change, Link | Remove))
        found.setdefault(mounted.volume, []).append(replace(change, path=path))
    for volume, own in found.items():
        growth = sum(len(one.content) for one in own if isinstance(one, Write | Append))
        yield Part(volume, "ntfs", changes=tuple(own), growth=growth)


def _planned(root: Root, after: Changed, change: Change) -> Iterator[_Planned]:
    """Yield what a path is after all changes, and before that the folders that it needs."""
    if isinstance(change, Registry):
        raise InputError(f"/{change.path} is no hive on NTFS")
    follow = isinstance(change, Write | Append)
    if not _there(after, change.path, follow=follow):
        if _there(root, change.path, follow=False):
            there = root.find(change.path, follow=False)
            yield _Planned(there.mounted, Delete(_inner(there.mounted, there.path)))
        return
    place = after.find(change.path, follow=follow)
    for folder in _new_folders(root, place.path):
        yield _Planned(place.mounted, Folder(_inner(place.mounted, folder)))
    path = _inner(place.mounted, place.path)
    before = root.find(place.path, follow=False).node if _there(root, place.path, follow=False) else None
    if place.node.kind is Kind.SYMLINK:
        yield _Planned(place.mounted, Symlink(path, place.node.target, exists=before is not None))
        return
    exists = before is not None and before.kind is Kind.FILE
    if before is not None and not exists:
        raise InputError(f"/{place.path} is a {before.kind}, and cannot be made a file")
    owner = before or place.node
    content = after.read(place.path, limit=FILE_LIMIT)
    growth = max(0, _blocks(len(content)) - _blocks(before.size if before else 0))
    edit = Put(path, content, mode=owner.mode, uid=owner.uid, gid=owner.gid, exists=exists)
    yield _Planned(place.mounted, edit, growth)


def _inner(mounted: Mounted, path: str) -> str:
    """Return a path of the machine as one from the top of the file system, of which a subvolume may be mounted."""
    within = path[len(mounted.where) :].strip("/")
    return f"{mounted.subvolume}/{within}".strip("/")


def _there(root: Root, path: str, *, follow: bool) -> bool:
    try:
        root.find(path, follow=follow)
    except base.MissingFileError:
        return False
    return True


def _new_folders(root: Root, path: str) -> list[str]:
    """Return the folders on the way to a path that are not there, from the top."""
    missing = []
    above = parent(path)
    while above and not _there(root, above, follow=False):
        missing.append(above)
        above = parent(above)
    return missing[::-1]


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def check(parts: Sequence[Part], survey: Survey) -> None:
    """Raise HostError if this machine lacks what is needed, InputError if a file system has no room."""
    for part in parts:
        if part.kind == "ntfs":
            write_ntfs.check_host()
            if missing := write_ntfs.missing_programs():
                raise HostError(f"the program {missing[0]} is not installed", hint="see `jeos doctor`")
        else:
            writer_for(part.kind).check_host()
        volume = survey.volume(part.volume)
        if volume is None or volume.used is None:
            continue
        room = volume.size - volume.used
        if part.growth + SPARE > room:
            raise InputError(
                f"the {part.kind} file system on {part.volume} has {room >> 20} MiB left, and the fixes need "
                f"{(part.growth + SPARE) >> 20} MiB more",
                hint="free some room in the machine, or let its disk grow with --resize",
            )


def settle(volume: Volume, *, kind: str, disks: Sequence[Path]) -> None:
    """Bring a file system that was not put away in order into the state that mounting it would.

    In a file of its own, since e2fsck (1.47) forgets, after it has replayed a journal, where in a file it was.
    """
    with Lent(volume, disks, alone=True) as place:
        writer_for(kind).settle(place, kind=kind)


def apply(parts: Sequence[Part], volumes: Mapping[str, Volume], *, disks: Sequence[Path]) -> None:
    """Change the copies, and read everything back. `volumes` are the layout's, by name."""
    for part in parts:
        volume = volumes[part.volume]
        with Lent(volume, disks) as place:
            if part.kind == "ntfs":
                with File(place.path) as disk:
                    window = Window(disk, start=place.offset, size=place.size)
                    write_ntfs.write(
                        place.path,
                        kind="raw",
                        start=place.offset,
                        size=place.size,
                        volume=window,
                        changes=part.changes,
                    )
                continue
            writer_for(part.kind).edit(place, part.edits, kind=part.kind)
            with File(place.path) as disk:
                _read_back(part, Window(disk, start=place.offset, size=place.size))


def _read_back(part: Part, volume: Blocks) -> None:
    """Raise InputError unless every file is as it was to be."""
    filesystem = open_filesystem(volume)
    if isinstance(filesystem, base.Subvolumes):
        filesystem = filesystem.subvolume("")  # its top, from where paths are counted
    for edit in part.edits:
        try:
            node = base.find(filesystem, edit.path, follow=False)
        except base.MissingFileError:
            if isinstance(edit, Delete):
                continue
            raise _wrong(part, edit) from None
        match edit:
            case Put(content=content):
                modes = part.kind == "vfat" or (node.mode, node.uid, node.gid) == (edit.mode, edit.uid, edit.gid)
                right = node.kind is Kind.FILE and modes and filesystem.read(node) == content
            case Symlink(target=target):
                right = node.kind is Kind.SYMLINK and node.target == target
            case Folder():
                right = node.kind is Kind.DIRECTORY
            case Delete():
                right = False
        if not right:
            raise _wrong(part, edit)


def _wrong(part: Part, edit: Edit) -> InputError:
    return InputError(
        f"/{edit.path} in the {part.kind} file system on {part.volume} is not what was written",
        hint="its file system is damaged: check it on its own machine, then convert again",
    )
