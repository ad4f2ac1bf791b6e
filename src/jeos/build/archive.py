"""Read .deb files: an ar archive with two compressed tar archives in it, from sources that may be hostile.

    with open_deb(path) as deb:
        for member in members(deb.data()):
            …

Sources: deb(5); ar(5), common format; POSIX.1-2001 ustar and pax; GNU tar's long names (`@LongLink`).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jeos.build.stream import SUFFIXES, Stream
from jeos.build.stream import ArchiveError as ArchiveError  # what readers of archives catch
from jeos.model.tree import Kind

BLOCK = 512  # bytes; what tar counts in
NAME_LIMIT = 64 << 10  # bytes; no path on Linux is longer than 4 KiB, so what claims more means harm
PATH_LIMIT = 4095  # bytes; Linux takes no longer path (PATH_MAX, with the zero at its end)
MEMBER_LIMIT = 1 << 20  # no package of Debian has a fifth of that
LATEST = 1 << 33  # seconds since 1970: the year 2242
LAST_ID = 65534  # nobody; Debian's own ids end below

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60  # bytes
_AR_END = b"`\n"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a tar archive, in its order. `path` has no slash at either end; the root is "".

    `target` is what a symbolic link holds, or the path of the member that a hard link (`hard`) is another name of.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    target: str = ""
    hard: bool = False


@dataclass(frozen=True)
class Deb:
    """An open .deb file: where in it each of its two archives is."""

    file: BinaryIO
    places: dict[str, tuple[int, int]]  # name in the ar archive → offset and size

    def control(self) -> Stream:
        """Return the archive of maintainer scripts and the like."""
        return self._stream("control.tar")

    def data(self) -> Stream:
        """Return the archive of the files to install."""
        return self._stream("data.tar")

    def _stream(self, stem: str) -> Stream:
        for suffix in SUFFIXES:
            if stem + suffix in self.places:
                offset, size = self.places[stem + suffix]
                self.file.seek(offset)
                return Stream(self.file, size=size, suffix=suffix)
        raise ArchiveError(f"the package has no {stem} that can be read, but {', '.join(self.places)}")


@contextmanager
def open_deb(path: Path) -> Iterator[Deb]:
    """Open a .deb file; raise ArchiveError, also from within the block, with the file's name if it is not one."""
    try:
        with path.open("rb") as file:
            yield Deb(file=file, places=_ar_places(file))
    except ArchiveError as error:
        raise ArchiveError(f"{path.name} is not a sound Debian package: {error.message}") from None


def _ar_places(file: BinaryIO) -> dict[str, tuple[int, int]]:
    """Return name, offset and size of each member of an ar archive that starts as a .deb must."""
    end = file.seek(0, 2)
    file.seek(0)
    if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise ArchiveError("it does not begin as an ar archive")
    places: dict[str, tuple[int, int]] = {}
    while header := file.read(_AR_HEADER):
        if len(header) != _AR_HEADER or header[58:] != _AR_END:
            raise ArchiveError("a header of its ar archive is damaged")
        name = header[:16].decode("ascii", "replace").rstrip(" ").removesuffix("/")
        digits = header[48:58].rstrip(b" ")
        if not digits.isdigit() or file.tell() + int(digits) > end:
            raise ArchiveError(f"its member {name} is cut off")
        if not places and name != "debian-binary":
            raise ArchiveError(f"its first member is {name}, not debian-binary")
        if name in places:
            raise ArchiveError(f"its member {name} is there twice")
        places[name] = (file.tell(), int(digits))
        file.seek(int(digits) + int(digits) % 2, 1)
    offset, size = places.get("debian-binary", (0, 0))
    file.seek(offset)
    if not file.read(min(size, BLOCK)).startswith(b"2."):
        raise ArchiveError("it is not in the format 2.0 of Debian packages")
    return places


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.FILE,  # a hard link
    b"2": Kind.SYMLINK,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
}


def members(stream: Stream) -> Iterator[Member]:
    """Yield the members of a tar archive; before the next one, read the `size` bytes of a file's content from `stream`.

    Raises ArchiveError for what is damaged, for names that are absolute or have `..` or a line break in them, and for
    device nodes.
    """
    extra: dict[str, str] = {}
    count = 0
    while True:
        header = stream.read(BLOCK)
        if header.count(0) == BLOCK:
            stream.drain()
            return
        _check_sum(header)
        kind = header[156:157]
        size = _number(header[124:136])
        if kind in b"LKxg":
            if size > NAME_LIMIT:
                raise ArchiveError(f"a name in it claims to have {size} bytes")
            _note(extra, kind, stream.read(size))
            stream.skip(-size % BLOCK)
            continue
        member = _member(header, extra, size=size)
        extra = {}
        count += 1
        if count > MEMBER_LIMIT:
            raise ArchiveError(f"it holds more than {MEMBER_LIMIT} files")
        yield member
        stream.skip(-member.size % BLOCK)


def _note(extra: dict[str, str], kind: bytes, data: bytes) -> None:
    """Take down what a special member says about the next one."""
    if kind in b"LK":
        extra["path" if kind == b"L" else "linkpath"] = _text(data.partition(b"\0")[0])
        return
    while kind == b"x" and data:  # records "LENGTH KEY=VALUE\n", the length counting all of it
        digits = data.partition(b" ")[0]
        length = int(digits) if re.fullmatch(rb"[0-9]{1,6}", digits) else 0
        record, data = data[:length], data[length:]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or record[-1:] != b"\n":
            raise ArchiveError("an extended header in it is damaged")
        if key in (b"path", b"linkpath", b"size"):
            extra[key.decode()] = _text(value)


def _member(header: bytes, extra: dict[str, str], *, size: int) -> Member:
    name = extra.get("path")
    if name is None:
        prefix = _field(header[345:500]) if header[257:263] == b"ustar\0" else ""
        name = f"{prefix}/{_field(header[:100])}" if prefix else _field(header[:100])
    path = safe_path(name)
    flag = header[156:157]
    if flag not in _KINDS:
        raise ArchiveError(f"{path} is a device node or something else that no package may bring (type {flag!r})")
    target = extra.get("linkpath", _field(header[157:257])) if flag in b"12" else ""
    if "\0" in target or (flag == b"2" and not target):
        raise ArchiveError(f"{path} is a link without a target")
    content = flag in (b"0", b"\0", b"7")
    size = int(extra["size"]) if re.fullmatch(r"[0-9]{1,18}", extra.get("size", ""), re.ASCII) else size
    uid, gid, mtime = (_number(header[at:end]) for at, end in ((108, 116), (116, 124), (136, 148)))
    if max(uid, gid) > LAST_ID or mtime > LATEST:
        raise ArchiveError(f"{path} has the owner {uid}:{gid} and the time {mtime}, which no package can mean")
    return Member(
        path=path,
        kind=_KINDS[flag],
        mode=_number(header[100:108]) & 0o7777,
        uid=uid,
        gid=gid,
        mtime=mtime,
        size=size if content else 0,
        target=safe_path(target) if flag == b"1" else target,
        hard=flag == b"1",
    )


def safe_path(name: str) -> str:
    """Return a member's name as a path relative to the root; raise ArchiveError for one that leaves it."""
    if name.startswith("/"):
        raise ArchiveError(f"the name {name!r} in it is absolute")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\n" in name or "\0" in name:
        raise ArchiveError(f"the name {name!r} in it leaves the root or holds a line break")
    if len(name.encode(errors="surrogateescape")) > PATH_LIMIT:
        raise ArchiveError(f"the name {name[:40]!r}… in it has more than {PATH_LIMIT} bytes")
    return "/".join(parts)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _field(data: bytes) -> str:
    return _text(data.partition(b"\0")[0])


def _number(data: bytes) -> int:
    """Return a number: octal digits, or base 256 as GNU tar writes it where those do not suffice."""
    if data[0] == 0x80:
        return int.from_bytes(data[1:], "big")
    digits = data.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise ArchiveError(f"a number in it is damaged: {digits!r}")
    return int(digits or b"0", 8)


def _check_sum(header: bytes) -> None:
    """Raise ArchiveError if a header's sum of bytes, its own field counted as spaces, is not what it says."""
    if sum(header) - sum(header[148:156]) + 8 * 0x20 != _number(header[148:156]):
        raise ArchiveError("a header of its tar archive is damaged")
