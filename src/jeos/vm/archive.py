"""Taking a tar archive apart that somebody else wrote, who may be hostile: a guest.

    taken = extract(stream, work, top="nginx")      # `work`/nginx, and all that is below it

Whatever it says, nothing is written outside of the folder (see `core.beneath`), no name in it twice, and no more of it
is kept in memory than a header. Devices are left out, and so are setuid, setgid and sticky bits unless owners are kept,
too.
Source of the format: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".
"""

import os
import shutil
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from jeos.core import beneath, files
from jeos.core.errors import MachineError, UsageError

LONGEST_HEADER = 64 << 10  # bytes of a long name or of pax fields; a path has at most 4,096
EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, b"X")
PIECE = 256 << 10
ALL_BITS = 0o7777


@dataclass(slots=True)
class Taken:
    """How much came out of an archive; `notes` say what was left out."""

    files: int = 0
    bytes: int = 0
    notes: list[str] = field(default_factory=list)


class _Header(tarfile.TarInfo):
    """A header whose own size is bounded, so that what it announces cannot fill our memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0 or (found.type in EXTENSIONS and found.size > LONGEST_HEADER):
            raise tarfile.ReadError(f"a header of {found.size} bytes")
        return found


def extract(stream: BinaryIO, work: Path, *, top: str, owners: bool = False) -> Taken:
    """Make what an archive holds anew in `work`, where all of it must be called `top` or be below that.

    `owners` keeps owners and all bits of the modes. Raises MachineError for an archive that is damaged or breaks the
    rules, HostError if there is no room, UsageError if a file cannot be made here.
    """
    taken = Taken()
    folders: list[tuple[str, tarfile.TarInfo]] = []
    try:
        with tarfile.open(
            fileobj=stream, mode="r|", tarinfo=_Header, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                here = _place(member.name, top=top)
                _make(archive, member, here, work, top=top, owners=owners, taken=taken)
                if member.isdir():
                    folders.append((here, member))
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError) as error:
        raise MachineError(f"what the guest sent is no whole archive: {error}", hint="try again") from None
    except OSError as error:
        if files.out_of_room(error):
            raise files.full_disk(work, hint="free some room, or copy to a larger disk") from error
        raise UsageError(
            f"what the guest sent cannot be made here: {error.strerror}", hint="copy to another disk"
        ) from error
    for here, member in reversed(folders):  # last, for a folder may not be writable
        descriptor = beneath.open_folder(work, here)
        try:
            _settle(descriptor, member, owners=owners)
        finally:
            os.close(descriptor)
    return taken


def _place(name: str, *, top: str) -> str:
    """Return a member's path without what means nothing; raises MachineError for one that is not below `top`."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or parts[:1] != [top] or "\0" in name:
        raise MachineError(f"the guest sent a file that is not below {top}: {name!r}", hint="is it hostile?")
    return "/".join(parts)


def _make(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    here: str,
    work: Path,
    *,
    top: str,
    owners: bool,
    taken: Taken,
) -> None:
    above, _, name = here.rpartition("/")
    try:
        parent = beneath.open_folder(work, above)
    except FileNotFoundError:
        raise MachineError(f"the guest sent {here!r} without its folder", hint="is it hostile?") from None
    try:
        if member.isdir():
            os.mkdir(name, 0o700, dir_fd=parent)
        elif member.issym():
            os.symlink(member.linkname, name, dir_fd=parent)
            if owners:
                os.chown(name, member.uid, member.gid, dir_fd=parent, follow_symlinks=False)
        elif member.islnk():
            _link(_place(member.linkname, top=top), name, parent, work)
        elif member.isreg() and not member.issparse():
            taken.bytes += _write(archive, member, name, parent, owners=owners)
        else:
            taken.notes.append(f"{here} is no file, folder or link, and is left out")
            return
        taken.files += 1
    except FileNotFoundError:
        raise MachineError(f"the guest sent a link to {member.linkname!r}, which it did not send") from None
    except FileExistsError:
        raise MachineError(f"the guest sent {here!r} twice", hint="is it hostile?") from None
    finally:
        os.close(parent)


def _link(target: str, name: str, parent: int, work: Path) -> None:
    above, _, first = target.rpartition("/")
    folder = beneath.open_folder(work, above)
    try:
        os.link(first, name, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(folder)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, parent: int, *, owners: bool) -> int:
    source = archive.extractfile(member)
    assert source is not None  # it is a regular file
    with beneath.new_file(name, parent) as file:
        shutil.copyfileobj(source, file, PIECE)
        file.flush()
        if file.tell() != member.size:
            raise tarfile.ReadError(f"{member.name} ends too early")
        _settle(file.fileno(), member, owners=owners)
    return member.size


def _settle(descriptor: int, member: tarfile.TarInfo, *, owners: bool) -> None:
    """Give a file or folder its owner, mode and time."""
    if owners:
        os.fchown(descriptor, member.uid, member.gid)
    os.fchmod(descriptor, stat.S_IMODE(member.mode) & (ALL_BITS if owners else beneath.PERMISSIONS))
    beneath.set_time(descriptor, member.mtime)
