"""A copy of the data as it was before a new release touched it, and the way back.

    snapshot.take(["/var/lib/app"], label=root_hash)     # first thing of the new release's first start
    snapshot.restore(label=root_hash)                    # first thing of the old release, after the new one failed

Both run before any service, when nothing changes the data. A snapshot is copied into a folder that gets its name when
all is on the disk; restoring only renames, and can be cut off and begun again at any step. What changed in /etc lies
below an overlay that is in use: it is put ready, and the initrd takes it at the next start (`build/initrd/data.lua`).
"""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence

from jeos.update.errors import MigrationError, RoomError
from jeos.update.state_file import sync_folder

FOLDER = "/var/lib/jeos/update/snapshot"
ETC = "/var/lib/jeos/etc"  # the overlay's folders: `upper` has what changed in /etc
UPPER, NEXT = "upper", "upper.next"  # the initrd makes the second the first
REPLACED = "upper.replaced-"  # and leaves what was the first under such a name
LIST = "snapshot.json"
RESERVE = 16 << 20  # bytes that a snapshot leaves free, so that the new release can start
BLOCK = 4096


def take(paths: Sequence[str], *, label: str, folder: str = FOLDER, etc: str = ETC, root: str = "") -> bool:
    """Copy files and folders below /var, and what changed in /etc; tell whether there was anything to do.

    A snapshot with this label that is complete stays as it is: it is of the time before. Raises RoomError if there is
    no room for it, MigrationError for a path on another file system.
    """
    if not paths or label_of(folder) == label:
        return False
    drop(folder, etc)
    partial = f"{folder}.partial"
    _remove(partial)
    os.makedirs(partial, mode=0o700)
    places = [*_outermost(path for path in paths if not path.startswith("/etc/"))]
    own = os.stat(partial).st_dev
    sources = [*(f"{root}{place}" for place in places), f"{etc}/{UPPER}"]
    check_room(sources, folder=partial)
    listed: list[dict[str, str]] = []
    for number, (place, source) in enumerate(zip([*places, ""], sources, strict=True)):
        there = os.path.lexists(source)
        listed.append({"path": place, "copy": str(number) if there else ""})
        if there:
            _copy(source, f"{partial}/{number}", device=own)
    with open(f"{partial}/{LIST}", "w", encoding="utf-8") as file:
        json.dump({"label": label, "entries": listed}, file)
    _sync(partial)
    os.rename(partial, folder)
    sync_folder(os.path.dirname(folder))
    return True


def label_of(folder: str = FOLDER) -> str:
    """Return the label of the complete snapshot that is there, "" if there is none."""
    return _list(folder)[0]


def restore(*, label: str, folder: str = FOLDER, etc: str = ETC, root: str = "") -> bool:
    """Put back what the snapshot with this label holds; tell whether a restart is needed for /etc.

    What was there in the meantime is deleted by `drop`, which is to follow when the restore is known to be done.
    """
    own, listed = _list(folder)
    if own != label:
        return False
    replaced = f"{folder}/replaced"
    os.makedirs(replaced, mode=0o700, exist_ok=True)
    restart = False
    for number, entry in enumerate(listed):
        copy = f"{folder}/{number}"
        target = f"{root}{entry['path']}" if entry["path"] else f"{etc}/{NEXT}"
        if entry["copy"] and not os.path.lexists(copy):
            continue  # put back before a power cut
        if os.path.lexists(target):
            os.rename(target, f"{replaced}/{number}-{os.urandom(4).hex()}")
        if entry["copy"]:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(copy, target)
            restart = restart or not entry["path"]
    _sync(folder)
    return restart


def drop(folder: str = FOLDER, etc: str = ETC) -> None:
    """Delete the snapshot, if there is one, at once as far as others see; and what an earlier one replaced."""
    if os.path.lexists(folder):
        gone = f"{folder}.gone"
        _remove(gone)
        os.rename(folder, gone)
    _remove(f"{folder}.gone")
    for name in os.listdir(etc) if os.path.isdir(etc) else ():
        if name.startswith(REPLACED):
            _remove(f"{etc}/{name}")


def size(paths: Sequence[str]) -> int:
    """Return the bytes that copies of these files and folders take."""
    return sum(-(-found.st_size // BLOCK) * BLOCK + BLOCK for path in paths for _, found in _walk(path))


def _list(folder: str) -> tuple[str, list[dict[str, str]]]:
    """Return the label of a snapshot and what it holds; "" and nothing if there is none."""
    try:
        with open(f"{folder}/{LIST}", encoding="utf-8") as file:
            said = json.load(file)
        return str(said["label"]), [{"path": str(one["path"]), "copy": str(one["copy"])} for one in said["entries"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "", []


def _outermost(paths: Iterable[str]) -> Iterator[str]:
    """Yield the paths that are not below another one of them, sorted."""
    last = ""
    for path in sorted({os.path.normpath(path) for path in paths}, key=lambda path: f"{path}/"):
        if not last or not path.startswith(f"{last}/"):
            last = path
            yield path


def check_room(paths: Sequence[str], *, folder: str) -> None:
    """Raise RoomError if copies of these files and folders do not fit onto the file system that holds `folder`."""
    room = os.statvfs(folder)
    free, wanted = room.f_bavail * room.f_frsize, size(paths)
    if wanted + RESERVE > free:
        raise RoomError(
            f"the snapshot of the data takes {wanted} bytes, and {free} are free",
            hint="enlarge the disk, or name less under [update] snapshot",
        )


def _walk(path: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    waiting = [(path, found)]
    while waiting:
        path, found = waiting.pop()
        yield path, found
        if stat.S_ISDIR(found.st_mode):
            inside = [f"{path}/{name}" for name in sorted(os.listdir(path), reverse=True)]
            waiting += [(each, os.lstat(each)) for each in inside]


def _copy(source: str, target: str, *, device: int) -> None:
    """Copy a tree with owners, modes, times, extended attributes, devices and hard links."""
    links: dict[tuple[int, int], str] = {}
    folders = []
    try:
        for path, found in _walk(source):
            place = f"{target}{path[len(source) :]}"
            if found.st_dev != device:
                raise MigrationError(f"{path} is on another file system", hint="leave it out of [update] snapshot")
            _copy_one(path, place, found, links)
            if stat.S_ISDIR(found.st_mode):
                folders.append((place, found))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RoomError(f"no room for the snapshot of {source}", hint="enlarge the disk") from error
        raise
    for place, found in reversed(folders):  # last, because what is put into a folder changes its time
        os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_one(path: str, place: str, found: os.stat_result, links: dict[tuple[int, int], str]) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFSOCK:
        return  # whoever listens makes it anew
    if kind != stat.S_IFDIR and found.st_nlink > 1:
        first = links.setdefault((found.st_dev, found.st_ino), place)
        if first != place:
            os.link(first, place, follow_symlinks=False)
            return
    if kind == stat.S_IFDIR:
        os.mkdir(place, 0o700)
    elif kind == stat.S_IFLNK:
        os.symlink(os.readlink(path), place)
    elif kind == stat.S_IFREG:
        _copy_content(path, place, length=found.st_size)
    else:
        os.mknod(place, found.st_mode, found.st_rdev)
    os.chown(place, found.st_uid, found.st_gid, follow_symlinks=False)
    if kind != stat.S_IFLNK:
        os.chmod(place, stat.S_IMODE(found.st_mode))
    for name in os.listxattr(path, follow_symlinks=False):
        os.setxattr(place, name, os.getxattr(path, name, follow_symlinks=False), follow_symlinks=False)
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _copy_content(path: str, place: str, *, length: int) -> None:
    """Copy what a file holds; its holes stay holes. What it grows by meanwhile is left out."""
    with open(path, "rb", buffering=0) as reading, open(place, "xb", buffering=0) as writing:
        writing.truncate(length)
        position = 0
        while position < length:
            try:
                start = os.lseek(reading.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole until the end
                    break
                raise
            position = min(length, os.lseek(reading.fileno(), start, os.SEEK_HOLE))
            os.lseek(writing.fileno(), start, os.SEEK_SET)
            while start < position:
                start += os.sendfile(writing.fileno(), reading.fileno(), start, position - start) or length


def _sync(folder: str) -> None:
    """Flush all to disk: one call for the whole file system is cheaper than one for each file."""
    os.sync()
    sync_folder(folder)


def _remove(path: str) -> None:
    """Delete a folder and all in it; nothing happens if it is not there."""
    for place, found in reversed(list(_walk(path))):
        if stat.S_ISDIR(found.st_mode):
            os.rmdir(place)
        else:
            os.unlink(place)
