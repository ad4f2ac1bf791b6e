"""The folder that a build works in: deleted at its end, and by the next build if a killed one could not.

On tmpfs the folder gets a mount of its own in the build's namespace, so that the memory is free again the moment the
process dies, however it does.
"""

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jeos.build.overlay import MNT_DETACH
from jeos.core import files

PREFIX = "build-"
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """Make a folder under `parent` for the block; call it in the build's namespace (`namespace.enter`)."""
    with files.temporary_folder(parent, prefix=PREFIX) as folder:
        mounted = file_system(folder) == "tmpfs" and _mount_tmpfs(folder, size=shutil.disk_usage(folder).free)
        try:
            yield folder
        finally:
            if mounted:
                _libc.umount2(os.fsencode(folder), MNT_DETACH)


def file_system(path: Path) -> str:
    """Return the kind of file system that a path is on, such as "ext4"; "" if the kernel does not say (btrfs)."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():  # proc_pid_mountinfo(5)
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == number:
            return source.split()[0]
    return ""


def _mount_tmpfs(folder: Path, *, size: int) -> bool:
    """Mount a tmpfs of at most `size` bytes; tell whether that worked, for a build can do without."""
    options = os.fsencode(f"mode=0700,size={size}")
    return bool(_libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", ctypes.c_ulong(0), options) == 0)
