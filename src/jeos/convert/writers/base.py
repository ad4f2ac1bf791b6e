"""What is done to one file system, as values: paths are its own, without a slash at the start, and contain no links.

Put("etc/fstab", b"UUID=… / ext4 …", mode=0o644, uid=0, gid=0, exists=True)
"""

from dataclasses import dataclass
from pathlib import Path

from jeos.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file system is: `size` bytes from `offset` on in a raw file."""

    path: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Put:
    """Give a file this content, owner and mode; `exists` tells whether it is there already."""

    path: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    exists: bool = False


@dataclass(frozen=True, slots=True)
class Symlink:
    """Make a symbolic link; `exists` tells whether a file or link is there that it takes the place of."""

    path: str
    target: str
    exists: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a file or link, which is there."""

    path: str


@dataclass(frozen=True, slots=True)
class Folder:
    """Make a folder, which is not there."""

    path: str
    mode: int = 0o755


Edit = Put | Symlink | Delete | Folder


def check_path(path: str) -> str:
    """Return a path if it stays within the file system, and programs can be told it. Raises InputError."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts) or any(ord(sign) < 32 for sign in path):
        raise InputError(f"{path!r} is no path that a file in a file system can be given")
    return path


def parent(path: str) -> str:
    """Return the folder of a path, "" for the top."""
    return path.rpartition("/")[0]
