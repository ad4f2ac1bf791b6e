"""Files of an old forum, put from its backup or folder onto a shelf, where they wait for posts that refer to them.

Nothing is unpacked by the names that stand in a backup: what is wanted is looked for by name, read within bounds, and
put onto the shelf under a name of ours. A backup that holds links, devices or ways out of itself is refused whole.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from django.conf import settings

from jeos.core import files
from jeos.core.errors import HostError, InputError, UsageError
from jeos.server.importing import archives

RESERVE = 1 << 30  # bytes that stay free on the disk of uploaded files
_WORD = re.compile(r"[0-9A-Za-z]{1,40}")
ORIGINAL = "original/"  # what precedes the part of a place that no store of Discourse changes


def shelf(source: str) -> Path:
    """Return the folder where files of an old forum wait: beside the kept ones, which hosts share."""
    return Path(settings.FILES) / "importing" / source


def clear(source: str) -> None:
    """Remove the shelf of a forum."""
    if shelf(source).exists():
        files.remove_tree(shelf(source))


def face_name(key: str) -> str:
    """Return the name on the shelf of a picture that members have. Raises InputError for a key that is no word."""
    if not _WORD.fullmatch(key):
        raise InputError(f"a picture has a strange number: {key[:40]}", hint="is the dump whole?")
    return f"face-{key}"


def within(place: str) -> str:
    """Return the part of a place by which a file is found, however the forum stored its files."""
    place = place.removeprefix("./").removeprefix("uploads/")
    return place[place.index(ORIGINAL) :] if ORIGINAL in place else place


Wanted = Mapping[str, Collection[str]]  # places, and the names that what is there gets on the shelf


def from_archive(path: Path, source: str, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Put the wanted files of a backup onto the shelf; return place and reason of those that are not taken."""
    missing: dict[str, list[str]] = {}
    for place in wanted:
        missing.setdefault(within(place), []).append(place)
    with archives.opened(path) as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined] # or it would keep all that it has seen
            _check(path, member)
            places = missing.pop(within(member.name), []) if member.isreg() else []
            if not places:
                continue
            if member.size > settings.FILE_BYTES:
                yield from ((place, _too_large()) for place in places)
            elif (opened := archive.extractfile(member)) is not None:
                names = [name for place in places for name in wanted[place]]
                _put(source, names, opened)  # type: ignore[arg-type] # an IO[bytes]
    for places in missing.values():
        yield from ((place, "is not in the backup") for place in places)


def _check(path: Path, member: tarfile.TarInfo) -> None:
    """Raise InputError for a member that no backup of a forum has."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise InputError(f"{path} leads out of itself: {member.name[:200]}", hint="no backup of a forum does that")
    if not member.isreg() and not member.isdir():
        raise InputError(
            f"{path} holds a link or device: {member.name[:200]}", hint="a backup of a forum holds files and folders"
        )


def from_folder(folder: Path, source: str, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Put the wanted files of a folder onto the shelf; return place and reason of those that are not taken."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="name the folder of the forum's files")
    for place, names in wanted.items():
        try:
            with _opened(folder, place) as file:
                size = os.fstat(file.fileno()).st_size
                if size > settings.FILE_BYTES:
                    yield place, _too_large()
                else:
                    _put(source, names, file)
        except FileNotFoundError:
            yield place, "is not in the folder"


@contextmanager
def _opened(folder: Path, place: str) -> Iterator[BinaryIO]:
    """Open a file within a folder, by no link and no way out. Raises InputError, FileNotFoundError."""
    parts = PurePosixPath(place).parts
    if not parts or place.startswith("/") or any(part in ("..", ".") or "\\" in part for part in parts):
        raise InputError(f"the dump names a file outside of the folder: {place[:200]}", hint="no forum does that")
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            held, above = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=held), held
            os.close(above)
        descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=held)
    except FileNotFoundError:
        raise
    except OSError as error:  # ELOOP, ENOTDIR: a link
        raise InputError(
            f"{folder}/{place[:200]} cannot be read: {error.strerror}", hint="links are not followed"
        ) from error
    finally:
        os.close(held)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{folder}/{place[:200]} is no file", hint="a forum's folder holds files")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _put(source: str, names: Collection[str], file: BinaryIO) -> None:
    """Put a file onto the shelf, under each of some names. Raises HostError if the disk would be too full."""
    data = file.read(settings.FILE_BYTES + 1)[: settings.FILE_BYTES]
    folder = shelf(source)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        if shutil.disk_usage(folder).free - len(data) < RESERVE:
            raise HostError(f"the disk of {settings.FILES} is nearly full", hint="make room and read the dump again")
        files.write(folder / name, data, mode=0o600, durable=False)


def _too_large() -> str:
    return f"is larger than {settings.FILE_BYTES >> 20} MiB"
