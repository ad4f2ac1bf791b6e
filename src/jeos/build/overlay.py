"""Overlay mounts in the build's namespace, and what they leave put back into one folder.

    with mounted([application, base], upper=scratch) as root:
        …                                 # every change goes to the upper folder
    merge(upper, into=application, below=[base])

Sources: Documentation/filesystems/overlayfs.rst in the kernel's tree (whiteouts, opaque folders, `userxattr`).
"""

import ctypes
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from jeos.build import namespace
from jeos.core import files
from jeos.core.errors import HostError

MS_NODEV, MS_NOSUID, MNT_DETACH = 4, 2, 2  # linux/mount.h
LIMIT = 4095  # bytes that the kernel takes as options of a mount
_libc = ctypes.CDLL(None, use_errno=True)


def prefix() -> str:
    """Return what the names of overlayfs's own extended attributes begin with here."""
    return "trusted.overlay." if namespace.mapping() == "root" else "user.overlay."


@contextmanager
def mounted(lower: Sequence[Path], *, scratch: Path) -> Iterator[Path]:
    """Mount folders over one another, the uppermost first; what is changed goes to `scratch/upper`.

    Yields the root of the whole. `scratch` must be on a file system with extended attributes of the kind that
    `prefix` names, and outlives the mount. Raises HostError if the kernel refuses.
    """
    upper, work, root = (scratch / name for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir(parents=True, exist_ok=True)
    if not supports(upper):
        raise HostError(
            f"the file system of {scratch} cannot keep the notes that overlayfs makes (extended attributes)",
            hint="set JEOS_TMPDIR and JEOS_CACHE_DIR to folders on a disk; tmpfs can since Linux 6.6",
        )
    _copy_status(lower[0], upper)
    options = [f"lowerdir={':'.join(_escaped(path) for path in lower)}", f"upperdir={_escaped(upper)}"]
    # Moved folders, content without a file and index numbers make no sense in a layer that goes below others.
    options += [f"workdir={_escaped(work)}", "metacopy=off", "index=off"]
    options += ["redirect_dir=off"] if prefix().startswith("trusted") else ["userxattr"]
    text = ",".join(options)
    if len(text) > LIMIT:
        raise HostError(f"the paths of a build's layers are too long ({len(text)} bytes)", hint="set JEOS_CACHE_DIR")
    flags = ctypes.c_ulong(MS_NODEV | MS_NOSUID)
    if _libc.mount(b"overlay", os.fsencode(root), b"overlay", flags, os.fsencode(text)) != 0:
        error = os.strerror(ctypes.get_errno())
        hint = "an ordinary user needs Linux 5.11 or later with overlayfs; the cache folder must be on a local disk"
        raise HostError(f"overlayfs cannot be mounted on {root}: {error}", hint=hint)
    try:
        yield root
    finally:
        if _libc.umount2(os.fsencode(root), 0) != 0:
            _libc.umount2(os.fsencode(root), MNT_DETACH)


def supports(folder: Path) -> bool:
    """Tell whether the file system of a folder can take the changes of an overlay mount."""
    name = f"{prefix()}probe"
    try:
        os.setxattr(folder, name, b"y")
        os.removexattr(folder, name)
    except OSError:
        return False
    return True


def _escaped(path: Path) -> str:
    """Return a path as overlayfs's options want it: backslashes before what separates."""
    return "".join(f"\\{character}" if character in "\\:," else character for character in str(path.absolute()))


def _copy_status(source: Path, target: Path) -> None:
    """Give a folder the owner and mode of another: the root of an overlay is that of its upper folder."""
    status = source.lstat()
    os.chown(target, status.st_uid, status.st_gid)
    target.chmod(stat.S_IMODE(status.st_mode))


def is_whiteout(status: os.stat_result) -> bool:
    """Tell whether an upper folder's entry says that what lies below is gone."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(folder: Path) -> bool:
    """Tell whether an upper folder hides all of the folder below."""
    with suppress(OSError):
        return os.getxattr(folder, f"{prefix()}opaque") == b"y"
    return False


def exists(path: str, folders: Sequence[Path]) -> bool:
    """Tell whether a path is in one of the folders, laid over one another."""
    for folder in folders:
        try:
            return not is_whiteout((folder / path).lstat())
        except (FileNotFoundError, NotADirectoryError):
            if any(is_opaque(folder / parent) for parent in Path(path).parents):
                return False
    return False


def merge(upper: Path, *, into: Path, below: Sequence[Path] = ()) -> None:
    """Move what an overlay's upper folder holds into the folder that lay under it; both are on one file system.

    What was deleted is deleted, or hidden where a folder of `below` has it. The upper folder is of no use afterwards.
    """
    _merge_folder(upper, into, "", below)


def _merge_folder(upper: Path, into: Path, path: str, below: Sequence[Path]) -> None:
    for entry in sorted(os.scandir(upper), key=lambda entry: entry.name):
        inner = f"{path}/{entry.name}".lstrip("/")
        source, target = upper / entry.name, into / entry.name
        status = entry.stat(follow_symlinks=False)
        there = _kind(target)
        if is_whiteout(status):
            _remove(target)
            if exists(inner, below):
                source.rename(target)
        elif stat.S_ISDIR(status.st_mode) and there == stat.S_IFDIR and not is_opaque(source):
            _merge_folder(source, target, inner, below)
            _copy_folder_status(source, target)
        else:
            # What was hidden must stay hidden: the kernel does not always note it down.
            opaque = exists(inner, below) and (bool(there) or is_opaque(source))
            _remove(target)
            source.rename(target)
            _strip(target, opaque=opaque)
            if opaque and stat.S_ISDIR(status.st_mode):
                os.setxattr(target, f"{prefix()}opaque", b"y")


def _kind(path: Path) -> int:
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return 0


def _remove(path: Path) -> None:
    kind = _kind(path)
    if kind == stat.S_IFDIR:
        files.remove_tree(path)
    elif kind:
        path.unlink()


def _copy_folder_status(source: Path, target: Path) -> None:
    _copy_status(source, target)
    shutil.copystat(source, target)
    _strip_one(target, opaque=True)  # what it hid before this change it goes on hiding


def _strip(path: Path, *, opaque: bool) -> None:
    """Take overlayfs's notes off what became part of a lower folder; `opaque` ones stay where they hide something."""
    _strip_one(path, opaque=opaque)
    if path.is_dir() and not path.is_symlink():
        for folder, folders, names in os.walk(path):
            for name in (*folders, *names):
                _strip_one(Path(folder, name), opaque=True)


def _strip_one(path: Path, *, opaque: bool) -> None:
    for name in os.listxattr(path, follow_symlinks=False):
        if name.startswith(prefix()) and not (opaque and name.endswith("opaque")):
            os.removexattr(path, name, follow_symlinks=False)
