"""Mounts that only this process sees, and that end with it: the ESP, and the running system without what covers it.

    with mounts.mounted("/dev/vda1", kind="vfat") as folder: …

A process that is killed leaves no mount behind, because its mount namespace goes with it. (mount(2), unshare(2))
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from jeos.update.errors import UpdateError

PLACE = "/run/jeos/mounts"  # in memory, and there in every guest
CLONE_NEWNS = 0x00020000  # linux/sched.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_DIRSYNC = 1, 2, 4, 8, 1 << 7  # linux/mount.h
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
MNT_DETACH = 2
# What a power cut left of a file on the ESP that was being written may lack clusters: deleting it is to go on.
ESP_OPTIONS = "umask=0077,shortname=winnt,errors=continue"


class _Own:
    """Whether this process has its own mount namespace already."""

    namespace = False


_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def mounted(device: str, *, kind: str, options: str = "", flags: int = 0, read_only: bool = False) -> Iterator[str]:
    """Mount a device in a folder that nobody else sees, and yield the folder. Raises UpdateError."""
    flags |= MS_NOSUID | MS_NODEV | MS_NOEXEC | (MS_RDONLY if read_only else 0)
    with _folder() as folder:
        _mount(device, folder, kind, flags, options)
        with _unmounting(folder):
            yield folder


@contextmanager
def esp(device: str, *, read_only: bool = False) -> Iterator[str]:
    """Mount an EFI system partition privately; all is on the disk when the block ends.

    Folders are written at once, and in an order in which none ever names clusters that are not its own. A flag asks for
    that: Linux before 6.11 does not know `dirsync` as an option of vfat.
    """
    with mounted(device, kind="vfat", options=ESP_OPTIONS, flags=MS_DIRSYNC, read_only=read_only) as folder:
        yield folder


@contextmanager
def running_system() -> Iterator[str]:
    """Yield a folder with the running slot's whole file system, without what is mounted over parts of it."""
    with _folder() as folder:
        _mount("/", folder, "", MS_BIND, "")
        with _unmounting(folder):
            yield folder


@contextmanager
def _folder() -> Iterator[str]:
    if not _Own.namespace:
        _check(_libc.unshare(CLONE_NEWNS), "cannot have mounts of its own")
        _mount("", "/", "", MS_REC | MS_PRIVATE, "")
        _Own.namespace = True
    folder = f"{PLACE}/{os.getpid()}-{os.urandom(4).hex()}"
    os.makedirs(folder, mode=0o700)
    try:
        yield folder
    finally:
        os.rmdir(folder)


@contextmanager
def _unmounting(folder: str) -> Iterator[None]:
    try:
        yield
    finally:
        if _libc.umount2(folder.encode(), 0) != 0:  # something of ours still holds it open
            _check(_libc.umount2(folder.encode(), MNT_DETACH), f"cannot unmount {folder}")


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    done = _libc.mount(source.encode() or None, target.encode(), kind.encode() or None, flags, options.encode() or None)
    _check(done, f"cannot mount {source or target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise UpdateError(f"{what}: {os.strerror(number)}", hint="only root in the guest may do this")
