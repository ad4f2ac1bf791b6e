"""One JSON object in a folder that survives a power cut at any byte, with the generation before it.

    write("/var/lib/jeos/update", {"trial": …})
    read("/var/lib/jeos/update")                 # {"trial": …}; {} if there is none that holds

`state.json` is replaced as a whole; what it replaced is `state.json.old`. Each carries the CRC-32 of its object, so
that one that was damaged is noticed, and the other read. Nothing else of jeos is imported: the daemon reads it too.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress

FOLDER = "/var/lib/jeos/update"
NAME = "state.json"
LARGEST = 1 << 20  # bytes; ours have a few thousand

Fields = dict[str, object]


def read(folder: str = FOLDER) -> Fields:
    """Return the object as it was last written, or the one before; an empty one if neither holds."""
    for name in (NAME, f"{NAME}.old"):
        found = _load(f"{folder}/{name}")
        if found is not None:
            return found
    return {}


def write(folder: str, fields: Mapping[str, object]) -> None:
    """Replace the object; when this returns, it is on the disk."""
    body = _encode(fields)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    temporary = f"{folder}/.{NAME}.partial"
    with open(temporary, "wb") as file:
        file.write(b'{"crc32": %d, "state": %s}\n' % (zlib.crc32(body), body))
        file.flush()
        os.fsync(file.fileno())
    _keep_old(folder)
    os.rename(temporary, f"{folder}/{NAME}")
    sync_folder(folder)


def change(folder: str, edit: Callable[[Fields], Fields]) -> Fields:
    """Replace the object by what `edit` makes of it, with no other process between, and return it."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    lock = os.open(f"{folder}/.{NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read(folder)
        after = edit(dict(before))
        if _encode(after) != _encode(before) or not os.path.exists(f"{folder}/{NAME}"):
            write(folder, after)
        return after
    finally:
        os.close(lock)


def sync_folder(folder: str) -> None:
    """Flush a folder's names to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(fields: object) -> bytes:
    return json.dumps(fields, indent=1, sort_keys=True).encode()


def _load(path: str) -> Fields | None:
    try:
        with open(path, "rb") as file:
            said = json.loads(file.read(LARGEST))
        fields = said["state"]
        return fields if isinstance(fields, dict) and zlib.crc32(_encode(fields)) == said["crc32"] else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _keep_old(folder: str) -> None:
    """Give what is there now its second name, unless it is damaged: then what has that name is the better one."""
    if _load(f"{folder}/{NAME}") is None:
        return
    second = f"{folder}/.{NAME}.old.partial"
    with suppress(FileNotFoundError):
        os.unlink(second)
    os.link(f"{folder}/{NAME}", second)
    os.rename(second, f"{folder}/{NAME}.old")
