"""Making files beneath a folder out of names that somebody else chose: nothing outside of it is ever touched.

    above = open_folder(work, "a/b")        # a descriptor; nothing on the way may be a link
    with new_file("c", above) as file: …

Who chooses the names may be hostile, and may have made links before; so everything is made new, relative to folders
that are held open, and no link is followed. Source: openat(2), O_NOFOLLOW.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PERMISSIONS = 0o777  # what a file keeps here: what ran as another user there must not do so here


def open_folder(work: Path, path: str) -> int:
    """Open a folder beneath `work` step by step, and return its descriptor.

    Raises FileNotFoundError if it is not there, also where a link stands in its way.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(work, flags)
    for part in filter(None, path.split("/")):
        above = descriptor
        try:
            descriptor = os.open(part, flags, dir_fd=above)
        except NotADirectoryError:  # a link, of the same name as a folder
            raise FileNotFoundError(path) from None
        finally:
            os.close(above)
    return descriptor


def new_file(name: str, parent: int) -> BinaryIO:
    """Make a file that was not there in an open folder; raises FileExistsError if there is anything of its name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb")


def set_time(descriptor: int, mtime: float) -> None:
    """Set the time of an open file, if it is one that this host's file system knows."""
    with suppress(OSError, OverflowError):
        os.utime(descriptor, (mtime, mtime))
