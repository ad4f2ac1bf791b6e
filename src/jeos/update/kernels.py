"""The unified kernel images on the ESP, one for each slot, and the tries that the boot loader counts in their names.

    hello_1.0.efi          no counter: it was confirmed, or came with the disk
    hello_1.1+3.efi        three starts left, none used
    hello_1.1+1-2.efi      one left, two used; at +0 the boot loader prefers any other

After the boot loader specification (UAPI.1), "Boot counting". systemd-boot takes the newest version that has starts
left. What a file belongs to is told by the root hash in its command line, never by its name.
"""

import errno
import fcntl
import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk import uki
from jeos.update.errors import RebuildError, RoomError
from jeos.update.state_file import sync_folder

FOLDER = "EFI/Linux"  # on the ESP
TRIES = 3
PARTIAL = ".partial"  # a suffix that boot loaders do not look at
FIBMAP = 1  # linux/fs.h
STEP = 1 << 20  # bytes written between two flushes: the most that a power cut can leave without an owner on FAT
_NAME = re.compile(r"(?P<stem>.+?)(?:\+(?P<left>[0-9]+)(?:-(?P<done>[0-9]+))?)?\.efi", re.IGNORECASE)
_ROOT_HASH = re.compile(rb"(?:^|\s)roothash=([0-9a-f]{64})(?:\s|\0|$)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A kernel image; `left` and `done` are its starts, None and 0 where they are not counted.

    `root_hash` is the system that it starts, "" for one that is not ours.
    """

    name: str
    stem: str
    left: int | None
    done: int
    root_hash: str

    @property
    def bad(self) -> bool:
        """Tell whether the boot loader prefers any other."""
        return self.left == 0


def entries(esp: str) -> tuple[Entry, ...]:
    """Return the kernel images of an ESP that is mounted at `esp`."""
    folder = f"{esp}/{FOLDER}"
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match:
            left = None if match["left"] is None else int(match["left"])
            own = root_hash_of(f"{folder}/{name}")
            found.append(Entry(name=name, stem=match["stem"], left=left, done=int(match["done"] or 0), root_hash=own))
    return tuple(found)


def root_hash_of(path: str) -> str:
    """Return the root hash that a kernel image starts; "" if it names none, or is no kernel image."""
    try:
        with open(path, "rb") as file:
            found = _ROOT_HASH.search(uki.section(file, ".cmdline"))
    except (InputError, OSError):
        return ""
    return found[1].decode() if found else ""


def of(esp: str, root_hash: str) -> Entry | None:
    """Return the kernel image of the system with this root hash, or None; of two, the one that is surely good."""
    found = [entry for entry in entries(esp) if entry.root_hash == root_hash]
    return min(found, key=lambda entry: (entry.left is not None, entry.bad, -entry.done), default=None)


def install(esp: str, source: str, *, name: str, version: str, root_hash: str, tries: int = TRIES) -> Entry:
    """Copy a kernel image onto the ESP, so that the boot loader tries it from the next start on.

    Until the last step, a rename, the boot loader does not see it. Raises RoomError, and RebuildError if the file does
    not start the system with this root hash.
    """
    folder = f"{esp}/{FOLDER}"
    if root_hash_of(source) != root_hash:
        raise RebuildError("the kernel image does not start the system it came with", hint="the release is faulty")
    os.makedirs(folder, exist_ok=True)
    _untangle(folder)
    _sweep(folder)
    _check_room(esp, wanted=os.stat(source).st_size)
    entry = Entry(f"{name}_{version}+{tries}.efi", f"{name}_{version}", tries, 0, root_hash)
    partial = f"{folder}/{entry.stem}{PARTIAL}"
    _copy(source, partial)
    if _digest(partial) != _digest(source):
        raise RebuildError("the kernel image on the ESP is not what was written", hint="the disk may be failing")
    _rename(folder, f"{entry.stem}{PARTIAL}", entry.name)
    return entry


def bless(esp: str, entry: Entry) -> Entry:
    """Take the counter off a kernel image: it is started from now on, as often as it takes."""
    return _renamed(esp, entry, Entry(f"{entry.stem}.efi", entry.stem, None, 0, entry.root_hash))


def condemn(esp: str, entry: Entry) -> Entry:
    """Leave a kernel image no starts: the boot loader takes any other from now on."""
    used = entry.done + (entry.left or 0)
    return _renamed(esp, entry, Entry(f"{entry.stem}+0-{used}.efi", entry.stem, 0, used, entry.root_hash))


def remove(esp: str, entry: Entry) -> None:
    """Delete a kernel image."""
    folder = f"{esp}/{FOLDER}"
    _untangle(folder)
    with suppress(FileNotFoundError):  # it was a second name of another
        os.unlink(f"{folder}/{entry.name}")
    sync_folder(folder)


def _renamed(esp: str, entry: Entry, after: Entry) -> Entry:
    folder = f"{esp}/{FOLDER}"
    if entry.name != after.name:
        _untangle(folder)
        if os.path.exists(f"{folder}/{entry.name}") or not os.path.exists(f"{folder}/{after.name}"):
            _rename(folder, entry.name, after.name)
    return after


def _untangle(folder: str) -> None:
    """Give each name content of its own: on FAT, a power cut in a rename leaves two names with the same clusters.

    Deleting one, or renaming over it, would give the clusters of the other away. So the name that was meant to be gets
    a copy in its place before the other goes.
    """
    names = sorted((name for name in os.listdir(folder) if not os.path.isdir(f"{folder}/{name}")), key=_counted)
    kept: dict[int, str] = {}
    for name in names:
        place = _first_block(f"{folder}/{name}")
        first = kept.setdefault(place, name) if place else name
        if first != name:
            copy = f"{folder}/{first}{PARTIAL}"
            _copy(f"{folder}/{first}", copy)
            os.rename(copy, f"{folder}/{first}")
            sync_folder(folder)
            os.unlink(f"{folder}/{name}")
            sync_folder(folder)


def _counted(name: str) -> tuple[int, int]:
    """Return what sorts names by how late they come in an update: `.efi`, `+0-3.efi`, `+2-1.efi`, `.partial`."""
    match = _NAME.fullmatch(name)
    if match is None:
        return (2, 0)
    return (0, 0) if match["left"] is None else (1, int(match["left"]))


def _first_block(path: str) -> int:
    """Return where on its file system a file begins (FIBMAP, linux/fs.h); 0 if it is empty, or that cannot be told."""
    with open(path, "rb") as file:
        try:
            return int.from_bytes(fcntl.ioctl(file.fileno(), FIBMAP, bytes(4)), "little")
        except OSError:
            return 0


def _rename(folder: str, before: str, after: str) -> None:
    os.rename(f"{folder}/{before}", f"{folder}/{after}")
    sync_folder(folder)


def _sweep(folder: str) -> None:
    """Delete what an update that was cut off left."""
    for name in os.listdir(folder):
        if name.endswith(PARTIAL):
            os.unlink(f"{folder}/{name}")


def _check_room(esp: str, *, wanted: int) -> None:
    room = os.statvfs(esp)
    free = room.f_bavail * room.f_frsize
    if free < wanted:
        raise RoomError(
            f"the ESP has {free} bytes left, and the kernel image {wanted}",
            hint="delete what else is on it; images with a larger [disk] esp have room for more",
        )


def _copy(source: str, target: str) -> None:
    """Copy a file to the ESP, so that it is on the disk; nothing is left of a copy that fails. Raises RoomError."""
    try:
        with open(source, "rb") as reading, open(target, "wb", buffering=0) as writing:
            while data := reading.read(STEP):
                if writing.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(writing.fileno())
    except OSError as error:
        with suppress(OSError):
            os.unlink(target)
        raise RoomError(f"cannot write the kernel image: {error.strerror}", hint="a larger [disk] esp helps") from error


def _digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(STEP):
            digest.update(data)
    return digest.digest()
