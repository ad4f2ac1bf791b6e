"""Files out of a point: into a folder of this host, or into a tar archive with their owners and modes.

    into_folder(root, ["etc/nginx"], Path("."))      # ./nginx
    into_tar(root, ["etc/nginx"], file)

Nothing is written outside of the folder, whatever the names and links on the disk are: a path's last part appears in it
under its own name when it is complete, and everything is made new, beneath open folders and without following links.
"""

import io
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from jeos.backup.walk import PIECE, Item, content, walk
from jeos.core import beneath, files
from jeos.core.errors import InputError, StoreError, UsageError
from jeos.disk.root import Root
from jeos.model.tree import Kind

_HOLE = 64 << 10  # bytes of zeros that are left out
_ZEROS = bytes(_HOLE)


@dataclass(slots=True)
class Got:
    """How much came out; `notes` say what was left out on purpose, `failures` what could not be read or written."""

    files: int = 0
    bytes: int = 0
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def into_folder(root: Root, paths: Sequence[str], folder: Path) -> Got:
    """Write files and folders into a folder that is there, under their own names; nothing there is replaced.

    Modes are kept without setuid, setgid and sticky bits, owners and devices are not. Raises UsageError if a name is
    taken, MissingFileError for a path that the machine does not have.
    """
    got = Got()
    names = [_name(root, path) for path in paths]
    for name in names:
        if names.count(name) > 1 or os.path.lexists(folder / name):
            raise UsageError(f"{folder / name} is there already", hint="-o DIR names another folder")
    with files.temporary_folder(folder, prefix=".jeos-get-") as work:
        for path, name in zip(paths, names, strict=True):
            _write_tree(root, path, name, work, got=got)
            (work / name).rename(folder / name)
    return got


def _name(root: Root, path: str) -> str:
    """Return what a path is called here: its last part, and the root itself "root"."""
    place = root.find(path, follow=False)
    return place.path.rpartition("/")[2] or "root"


def _write_tree(root: Root, path: str, name: str, work: Path, *, got: Got) -> None:
    """Make a path anew as `work`/`name`, with all that is below it."""
    top = root.find(path, follow=False).path
    folders: list[tuple[str, int, int]] = []  # path here, mode, time; set last, for a folder may not be writable
    for item in walk(root, path, notes=got.failures):
        inner = item.path[len(top) :].strip("/")
        here = f"{name}/{inner}".rstrip("/")
        try:
            _make(item, here, work, got=got)
        except FileExistsError:
            got.failures.append(f"/{item.path} comes twice: the first one is kept")
            continue
        except FileNotFoundError:  # in a folder that came twice
            continue
        except OSError as error:
            if files.out_of_room(error):
                raise files.full_disk(work, hint=files.ROOM_FOR_FILE) from error
            got.failures.append(f"/{item.path} cannot be written here: {error.strerror}")
            continue
        if item.node.kind is Kind.DIRECTORY:
            folders.append((here, item.node.mode, item.node.mtime))
    for here, mode, mtime in reversed(folders):
        descriptor = beneath.open_folder(work, here)
        os.fchmod(descriptor, mode & beneath.PERMISSIONS)
        beneath.set_time(descriptor, mtime)
        os.close(descriptor)


def _make(item: Item, here: str, work: Path, *, got: Got) -> None:
    above, _, name = here.rpartition("/")
    parent = beneath.open_folder(work, above)
    try:
        kind = item.node.kind
        if kind is Kind.DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=parent)
        elif kind is Kind.SYMLINK:
            os.symlink(item.node.target, name, dir_fd=parent)
        elif kind is Kind.FILE:
            if not _write_file(item, name, parent, got=got):
                return
        else:
            got.notes.append(f"/{item.path} is a {kind}: only an archive holds these (--tar)")
            return
        got.files += 1
    finally:
        os.close(parent)


def _write_file(item: Item, name: str, parent: int, *, got: Got) -> bool:
    with beneath.new_file(name, parent) as file:
        try:
            for piece in content(item):
                _write_sparse(file, piece)
                got.bytes += len(piece)
            file.truncate(item.node.size)
        except (InputError, StoreError) as error:
            got.failures.append(f"/{item.path} cannot be read: {error.message}")
            os.unlink(name, dir_fd=parent)
            return False
        file.flush()
        os.fchmod(file.fileno(), item.node.mode & beneath.PERMISSIONS)
        beneath.set_time(file.fileno(), item.node.mtime)
    return True


def _write_sparse(file: BinaryIO, piece: bytes) -> None:
    for at in range(0, len(piece), _HOLE):
        part = piece[at : at + _HOLE]
        if len(part) == _HOLE and part == _ZEROS:
            file.seek(_HOLE, os.SEEK_CUR)
        else:
            file.write(part)


def into_tar(root: Root, paths: Sequence[str], file: BinaryIO) -> Got:
    """Write files and folders as a pax archive, with their owners (as numbers), modes, devices and hard links.

    Members are called as the machine's paths, without a slash at the start. Raises MissingFileError, and StoreError or
    InputError for a file that cannot be read: a member whose size was said cannot be left out any more.
    """
    got = Got()
    for path in paths:
        root.find(path, follow=False)
    first_names: dict[tuple[str, int], str] = {}
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
        for path in paths:
            for item in walk(root, path, notes=got.failures):
                _add(archive, item, first_names, got=got)
    return got


_TYPES = {
    Kind.FILE: tarfile.REGTYPE,
    Kind.DIRECTORY: tarfile.DIRTYPE,
    Kind.SYMLINK: tarfile.SYMTYPE,
    Kind.CHARACTER: tarfile.CHRTYPE,
    Kind.BLOCK: tarfile.BLKTYPE,
    Kind.FIFO: tarfile.FIFOTYPE,
}


def _add(archive: tarfile.TarFile, item: Item, first_names: dict[tuple[str, int], str], *, got: Got) -> None:
    node = item.node
    if node.kind not in _TYPES:
        got.notes.append(f"/{item.path} is a {node.kind}, which no archive holds")
        return
    member = tarfile.TarInfo(item.path or ".")
    member.mode, member.uid, member.gid, member.mtime = node.mode, node.uid, node.gid, node.mtime
    member.type, member.linkname = _TYPES[node.kind], node.target if node.kind is Kind.SYMLINK else ""
    member.devmajor, member.devminor = node.device
    got.files += 1
    if node.kind is not Kind.FILE:
        archive.addfile(member)
        return
    if node.links > 1:
        first = first_names.setdefault(item.inode, item.path)
        if first != item.path:
            member.type, member.linkname = tarfile.LNKTYPE, first
            archive.addfile(member)
            return
    member.size = node.size
    got.bytes += node.size
    archive.addfile(member, cast(BinaryIO, io.BufferedReader(_Content(item), PIECE)))


class _Content(io.RawIOBase):
    """A file on a disk, for code that reads files."""

    def __init__(self, item: Item) -> None:
        self._pieces = content(item)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
