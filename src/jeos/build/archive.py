"""Read .deb files: an ar archive with two compressed tar archives in it, from sources that may be hostile.

    with open_deb(path) as deb:
        for member in members(deb.data()):
            …

Sources: deb(5); ar(5), common format; POSIX.1-2001 ustar and pax; GNU tar's long names (`@LongLink`).
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from jeos.core.errors import InputError
from jeos.model.tree import Kind

BLOCK = 512  # bytes; what tar counts in
NAME_LIMIT = 64 << 10  # bytes; no path on Linux is longer than 4 KiB, so what claims more means harm
READ_BYTES = 1 << 18
UNPACKED_BYTES = 1 << 20  # how much is decompressed at a time

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60  # bytes
_AR_END = b"`\n"
_HINT = "download it again; if it is the same then, its maker must build it anew"


class _Decompressor(Protocol):
    """What the three of the standard library have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes) -> bytes: ...


class ArchiveError(InputError):
    """A package that is damaged or wants to write where it must not."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint=_HINT)


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


class Stream:
    """Bytes that are decompressed as they are read."""

    def __init__(self, source: BinaryIO, *, size: int, new: Callable[[], _Decompressor] | None) -> None:
        """Read `size` bytes of a file from where it stands; `new` makes a decompressor, None means none is needed."""
        self._source, self._left, self._new = source, size, new
        self._decompressor = new() if new else None
        self._fresh = True  # whether the decompressor has had nothing yet
        self._buffer = memoryview(b"")

    def _fill(self) -> bool:
        """Put more bytes into the empty buffer; tell whether there are any."""
        while not self._buffer:
            raw = self._source.read(min(READ_BYTES, self._left))
            self._left -= len(raw)
            if not raw:
                if self._left or not (self._decompressor is None or self._decompressor.eof or self._fresh):
                    raise ArchiveError("the package ends too early")
                return False
            self._buffer = memoryview(self._decompress(raw))
        return True

    def _decompress(self, raw: bytes) -> bytes:
        if self._decompressor is None or self._new is None:
            return raw
        parts = []
        try:
            while raw:
                if self._decompressor.eof:  # streams may follow one another
                    self._decompressor = self._new()
                parts.append(self._decompressor.decompress(raw))
                self._fresh = False
                raw = self._decompressor.unused_data if self._decompressor.eof else b""
        except (lzma.LZMAError, zlib.error, OSError, ValueError) as error:
            raise ArchiveError(f"what the package holds cannot be decompressed: {error}") from None
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield exactly `size` bytes in pieces; raise ArchiveError if there are fewer."""
        while size:
            if not self._buffer and not self._fill():
                raise ArchiveError("the package ends too early")
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes; raise ArchiveError if there are fewer."""
        if len(self._buffer) >= size:
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            return bytes(piece)
        return b"".join(self.pieces(size))

    def skip(self, size: int) -> None:
        """Pass over exactly `size` bytes."""
        for _ in self.pieces(size):
            pass

    def drain(self) -> None:
        """Read to the end, so that a damaged end is noticed."""
        while self._fill():
            self._buffer = memoryview(b"")


def _zstd() -> _Decompressor:
    import zstandard  # few packages of Debian need it

    class Adapter:
        def __init__(self) -> None:
            self._inner = zstandard.ZstdDecompressor().decompressobj()

        @property
        def eof(self) -> bool:
            return self._inner.eof

        @property
        def unused_data(self) -> bytes:
            return self._inner.unused_data

        def decompress(self, data: bytes) -> bytes:
            try:
                return self._inner.decompress(data)
            except zstandard.ZstdError as error:
                raise ValueError(str(error)) from None

    return Adapter()


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor] | None] = {
    "": None,
    ".xz": lambda: lzma.LZMADecompressor(format=lzma.FORMAT_XZ),
    ".lzma": lambda: lzma.LZMADecompressor(format=lzma.FORMAT_ALONE),
    ".gz": lambda: zlib.decompressobj(wbits=31),
    ".bz2": bz2.BZ2Decompressor,
    ".zst": _zstd,
}


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
        for suffix, new in _DECOMPRESSORS.items():
            if stem + suffix in self.places:
                offset, size = self.places[stem + suffix]
                self.file.seek(offset)
                return Stream(self.file, size=size, new=new)
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
        yield member
        stream.skip(-member.size % BLOCK)


def _note(extra: dict[str, str], kind: bytes, data: bytes) -> None:
    """Take down what a special member says about the next one."""
    if kind in b"LK":
        extra["path" if kind == b"L" else "linkpath"] = _text(data.partition(b"\0")[0])
        return
    while kind == b"x" and data:  # records "LENGTH KEY=VALUE\n", the length counting all of it
        digits = data.partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record, data = data[:length], data[length:]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or record[-1:] != b"\n":
            raise ArchiveError("an extended header in it is damaged")
        extra[_text(key)] = _text(value)


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
    size = int(extra["size"]) if extra.get("size", "").isdecimal() else size
    return Member(
        path=path,
        kind=_KINDS[flag],
        mode=_number(header[100:108]) & 0o7777,
        uid=_number(header[108:116]),
        gid=_number(header[116:124]),
        mtime=_number(header[136:148]),
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
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise ArchiveError(f"a number in it is damaged: {digits!r}") from None


def _check_sum(header: bytes) -> None:
    """Raise ArchiveError if a header's sum of bytes, its own field counted as spaces, is not what it says."""
    if sum(header) - sum(header[148:156]) + 8 * 0x20 != _number(header[148:156]):
        raise ArchiveError("a header of its tar archive is damaged")
