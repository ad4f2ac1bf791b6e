"""Files that matter: written to a temporary name, flushed to disk and renamed; locks; folders that clean up.

with replace(path) as file:
    file.write(data)          # nobody sees `path` change until the block ends without an error
"""

import ctypes
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import HostError, StoreError

_libc = ctypes.CDLL(None, use_errno=True)

PARTIAL_SUFFIX = ".partial"  # what a crash may leave behind; safe to delete


def out_of_room(error: OSError) -> bool:
    """Tell whether an operation failed because the disk or the quota is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def full_disk(path: Path) -> HostError:
    """Return the error for a disk without room for `path`."""
    return HostError(
        f"no room left on the disk that holds {path.parent}",
        hint="free some room (`jeos store gc` helps), or set JEOS_CACHE_DIR to a folder on a larger disk",
    )


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
def replace(path: Path, *, mode: int = 0o644, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that takes the name `path` when the block ends without an error.

    `durable` flushes file and folder to disk first. Raises HostError if the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL_SUFFIX, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if out_of_room(error):
            raise full_disk(path) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write(path: Path, data: bytes | str, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write a whole file at once: readers see the old content or the new, never a part."""
    with replace(path, mode=mode, durable=durable) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True, busy: str = "") -> Iterator[None]:
    """Hold a lock (flock) on `path` during the block; the kernel lets go of it if the process dies.

    Whoever holds the lock may delete the file: those who wait for it notice, and take a new one.
    Raises StoreError with the message `busy` if another process holds it and `wait` is false.
    """
    descriptor = _locked_descriptor(path, shared=shared, wait=wait, busy=busy)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked_descriptor(path: Path, *, shared: bool, wait: bool, busy: str) -> int:
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
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
def temporary_folder(parent: Path, *, prefix: str = "work-") -> Iterator[Path]:
    """Make a private folder under `parent` and delete it when the block ends, however it ends."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        remove_tree(folder)
