"""Files that matter: written to a temporary name, flushed to disk and renamed; locks; folders that clean up.

with replace(path) as file:
    file.write(data)          # nobody sees `path` change until the block ends without an error
"""

import ctypes
import errno
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import HostError, StoreError, UsageError

_libc = ctypes.CDLL(None, use_errno=True)

PARTIAL_SUFFIX = ".partial"  # what a crash may leave behind; safe to delete


def out_of_room(error: OSError) -> bool:
    """Tell whether an operation failed because the disk or the quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


ROOM_FOR_CACHE = "free some room (`jeos store gc` helps), or set JEOS_CACHE_DIR to a folder on a larger disk"
ROOM_FOR_FILE = "free some room, or write to a larger disk: -o FILE"


def full_disk(path: Path, *, hint: str = ROOM_FOR_CACHE) -> HostError:
    """Return the error for a disk without room for `path`."""
    return HostError(f"no room left on the disk that holds {path.parent}", hint=hint)


def check_new(path: Path, *, force: bool, origin: Path | None = None) -> None:
    """Raise UsageError if a file must not be written under this name: it is there, and `force` does not replace it.

    What the new file is made of, the `origin`, is never replaced.
    """
    if not path.exists() and not path.is_symlink():
        return
    if origin is not None and path.exists() and origin.exists() and path.samefile(origin):
        raise UsageError(f"{path} is what the new file is made of", hint="give the new file another name: -o FILE")
    if not force:
        raise UsageError(f"{path} is there already", hint="--force replaces it, -o FILE gives another name")
    if not path.is_file():
        raise UsageError(f"{path} is no file and cannot be replaced", hint="-o FILE gives another name")


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Flush all that was written to the file system that holds `folder` to disk: cheaper than file by file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"syncfs {folder} failed")
    finally:
        os.close(descriptor)


@contextmanager
def replace(path: Path, *, mode: int = 0o644, durable: bool = True, full: str = ROOM_FOR_CACHE) -> Iterator[BinaryIO]:
    """Open a new file that takes the name `path` when the block ends without an error.

    `durable` flushes file and folder to disk first. Raises HostError if the disk is full, with the hint `full`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor, temporary = _unnamed(path)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), mode)
                if durable:
                    os.fsync(file.fileno())
                if not os.fstat(file.fileno()).st_nlink:  # it has no name yet
                    # With a src_dir_fd, which means nothing here, Python lets the kernel follow the link (linkat).
                    os.link(f"/proc/self/fd/{file.fileno()}", temporary, src_dir_fd=file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        if out_of_room(error):
            raise full_disk(path, hint=full) from error
        raise


def _unnamed(path: Path) -> tuple[int, Path]:
    """Open a file that has no name yet, so that nothing is left if we are killed; return the name to give it.

    Where the file system cannot do that, the file has that name already.
    """
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL_SUFFIX, dir=path.parent)
        return descriptor, Path(name)
    # Random, because in a container every process may have the number of one that was killed right before its rename.
    return descriptor, path.with_name(f".{path.name}.{os.urandom(8).hex()}{PARTIAL_SUFFIX}")


def write_at(descriptor: int, data: bytes | bytearray | memoryview, *, offset: int) -> None:
    """Write all bytes at a place of an open file. Raises OSError if the disk is full."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def write(path: Path, data: bytes | str, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write a whole file at once: readers see the old content or the new, never a part."""
    with replace(path, mode=mode, durable=durable) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True, busy: str = "") -> Iterator[None]:
    """Hold a lock (flock) on `path` during the block; the kernel lets go of it if the process dies.

    Whoever holds the lock may delete the file, or its folder: those who wait for it notice, and take a new one.
    Raises StoreError with the message `busy` if another process holds it and `wait` is false.
    """
    descriptor = _locked_descriptor(path, shared=shared, wait=wait, busy=busy)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked_descriptor(path: Path, *, shared: bool, wait: bool, busy: str) -> int:
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:  # whoever held the lock has just deleted the folder
            continue
        try:
            fcntl.flock(descriptor, operation)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise StoreError(
                busy or f"{path} is in use by another process", hint="wait for it to end, then try again"
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def remove_tree(folder: Path) -> None:
    """Delete a folder and all in it, also where folders inside are not writable; nothing happens if it is not there."""

    def give_rights(function: object, name: str, error: BaseException) -> None:
        parent = Path(name).parent
        for place in (parent, Path(name)):
            if not place.is_symlink() and place.is_dir():
                place.chmod(place.stat().st_mode | stat.S_IRWXU)
        if Path(name).is_dir() and not Path(name).is_symlink():
            shutil.rmtree(name)
        else:
            Path(name).unlink(missing_ok=True)

    if folder.is_symlink() or not folder.exists():
        return
    shutil.rmtree(folder, onerror=lambda function, name, info: give_rights(function, name, info[1]))


@contextmanager
def temporary_folder(
    parent: Path, *, prefix: str = "work-", remove: Callable[[Path], None] = remove_tree
) -> Iterator[Path]:
    """Make a private folder under `parent` and delete it with `remove` when the block ends, however it ends.

    What killed processes left of the same `prefix` is deleted first.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent, prefix=prefix, remove=remove)
    folder, descriptor = _claimed_folder(parent, prefix=prefix)
    try:
        yield folder
    finally:
        try:
            remove(folder)
        finally:
            os.close(descriptor)


def _claimed_folder(parent: Path, *, prefix: str) -> tuple[Path, int]:
    """Make a folder and lock it (flock) for as long as this process lives, or the descriptor is open."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=PARTIAL_SUFFIX, dir=parent))
        with suppress(FileNotFoundError):  # swept away before it was locked: try again
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def sweep(parent: Path, *, prefix: str, remove: Callable[[Path], None] = remove_tree) -> bool:
    """Delete the folders that `temporary_folder` made for processes that are gone; tell whether others are left."""
    # The form of name that `mkdtemp` gives, so that nothing of the user's own is taken for a leftover.
    name = re.compile(re.escape(prefix) + "[a-z0-9_]{8}" + re.escape(PARTIAL_SUFFIX))
    for folder in (path for path in parent.iterdir() if name.fullmatch(path.name)):
        with suppress(OSError):  # in use, another user's, or just deleted by another process
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(folder)
            finally:
                os.close(descriptor)
    return any(name.fullmatch(path.name) for path in parent.iterdir())
