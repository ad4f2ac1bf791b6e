"""Read what a Linux kernel unpacks as its first file system: cpio archives one behind the other, each packed or not.

    contents = read(data, wanted=lambda path: path.endswith("conf/modules"))
    contents.packing                    # ("", "zstd"): microcode as it is, then everything else
    contents.files["conf/modules"]      # bytes; None for what was not wanted

The kernel takes archives of gzip, bzip2, lzma, xz, lzo, LZ4 and zstd, with zeros between them; a later file replaces an
earlier one (Documentation/driver-api/early-userspace/buffer-format.rst). Archives are unpacked piece by piece, so that
memory does not grow with them; lzo is not read.
"""

import bz2
import io
import lzma
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk import cpio, lz4_library
from jeos.model.tree import Entry, Kind, Tree

UNPACKED_LIMIT = 2 << 30  # bytes of all archives together; large ones of today have half a gibibyte
MEMBERS_LIMIT = 1 << 18  # files and folders; large ones of today have some ten thousand
_UNPACKED_RATIO = 32  # bytes for each that is packed, above the first ones: what is packed well has 5
_UNPACKED_FIRST = 64 << 20
_MOST_ARCHIVES = 256  # one behind the other; microcode, the system and what was appended make three or four
_CONTENT_LIMIT = 64 << 20  # bytes of one file that is kept
_NAME_LIMIT = 4096  # PATH_MAX
_PIECE = 1 << 20  # bytes that are unpacked at once
_ZSTD_INPUT = 1 << 10  # a zstd block of four bytes may unpack to 128 KiB
_LZMA_MEMORY = 256 << 20  # what a dictionary may take: twice of what `xz -9` needs

_HEADER_BYTES = 110
ALIGNMENT = 4  # bytes; where the kernel looks for a bare archive behind another, and within one
_MODE, _SIZE, _NAME = 14, 54, 94  # where these fields, of eight hexadecimal digits each, are in a header
_TRAILER = "TRAILER!!!"
_SOMETHING = re.compile(rb"[^\0]")

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x1f\x9e": "gzip",
    b"BZh": "bzip2",
    b"\x5d\x00\x00": "lzma",
    b"\xfd7zXZ\x00": "xz",
    b"\x89LZO": "lzo",
    lz4_library.MAGIC: "lz4",
    b"\x28\xb5\x2f\xfd": "zstd",
}


@dataclass(frozen=True, slots=True)
class Initramfs:
    """What an initrd holds: files and links by path, without a slash at the start, with the bytes of wanted ones.

    The bytes of a link are its target. `packing` is how each archive is packed: "" or a name such as "zstd"; `starts`
    is where each begins, in bytes, and `folders` are the paths of folders.
    """

    files: Mapping[str, bytes | None]
    folders: frozenset[str]
    packing: tuple[str, ...]
    starts: tuple[int, ...]


def packing(data: bytes, position: int = 0) -> str:
    """Return how the archive at a position is packed: "" for a bare one. Raises InputError for anything else."""
    head = data[position : position + 6]
    if head in (b"070701", b"070702"):
        return ""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    raise InputError(
        f"the initrd holds something unknown at byte {position}: it starts with {head.hex()}",
        hint="make it anew in the machine (update-initramfs, dracut), then convert again",
    )


def read(data: bytes, *, wanted: Callable[[str], bool] = lambda path: False) -> Initramfs:
    """Return what an initrd holds, with the bytes of the files whose paths are wanted.

    Raises InputError if it is damaged, packed with lzo, or unpacks to far more than initrds do, in bytes or files.
    """
    files: dict[str, bytes | None] = {}
    folders: set[str] = set()
    kinds: list[str] = []
    starts: list[int] = []
    position, left = 0, _limit(data)
    while found := _SOMETHING.search(data, position):
        position = found.start()
        if len(kinds) == _MOST_ARCHIVES:
            raise InputError(f"the initrd has more than {_MOST_ARCHIVES} archives", hint="it may be a trap")
        kinds.append(packing(data, position))
        starts.append(position)
        archive = _Archive(data, position, kind=kinds[-1], limit=left)
        while archive.more():
            for path, mode, content in _members(archive, wanted):
                if len(files) + len(folders) >= MEMBERS_LIMIT:
                    raise InputError(f"the initrd holds more than {MEMBERS_LIMIT} files", hint="it may be a trap")
                if stat.S_ISDIR(mode):
                    folders.add(path)
                else:
                    files[path] = content
            if not kinds[-1]:
                break
        position, left = archive.end(), left - archive.position
    return Initramfs(files=files, folders=frozenset(folders), packing=tuple(kinds), starts=tuple(starts))


def _limit(data: bytes) -> int:
    """Return how many bytes an initrd may unpack to: one that unpacks to far more is made to take time."""
    return min(UNPACKED_LIMIT, _UNPACKED_FIRST + _UNPACKED_RATIO * len(data))


def unpack(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the bare archives that are packed together at a position, and where what is packed ends."""
    archive = _Archive(data, position, kind=packing(data, position), limit=_limit(data))
    parts = []
    while archive.more(skip=False):
        parts.append(archive.take_buffered())
    return b"".join(parts), archive.end()


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return a bare archive of these files, with the folders above them: something to append to an initrd."""
    entries = {}
    for path in files:
        above = path.split("/")[:-1]
        for depth in range(1, len(above) + 1):
            folder = "/".join(above[:depth])
            entries[folder] = Entry(path=folder, kind=Kind.DIRECTORY, mode=0o755)
        entries[path] = Entry(path=path, kind=Kind.FILE, mode=0o644, digest=path)
    out = io.BytesIO()
    cpio.write(Tree.of(entries.values()), content=files.__getitem__, out=out)
    return out.getvalue()


def _members(archive: "_Archive", wanted: Callable[[str], bool]) -> Iterator[tuple[str, int, bytes | None]]:
    """Yield path, mode and content of the members of one archive, up to its trailer."""
    while True:
        header = archive.take(_HEADER_BYTES)
        if header[:6] not in (b"070701", b"070702"):
            raise InputError(f"the initrd is damaged: a member of an archive starts with {header[:6].hex()}")
        try:
            mode, size, name_size = (int(header[at : at + 8], 16) for at in (_MODE, _SIZE, _NAME))
        except ValueError as error:
            raise InputError("the initrd is damaged: a length is no number") from error
        if not 0 < name_size <= _NAME_LIMIT:
            raise InputError(f"the initrd is damaged: a name has {name_size} bytes")
        name = archive.take(name_size + -(_HEADER_BYTES + name_size) % ALIGNMENT)[: name_size - 1]
        path = name.decode("utf-8", "surrogateescape").removeprefix("./").strip("/")
        if path == _TRAILER:
            archive.skip(size)
            return
        content = None
        if size and (stat.S_ISLNK(mode) or stat.S_ISREG(mode)) and wanted(path):
            if size > _CONTENT_LIMIT:
                raise InputError(f"{path} in the initrd has {size} bytes; at most {_CONTENT_LIMIT} are read")
            content = archive.take(size)
        else:
            archive.skip(size)
            content = b"" if not size and wanted(path) else None
        archive.skip(-size % ALIGNMENT, may_end=True)
        yield path, mode, content


class _Archive:
    """A position in what is packed, or in the bare bytes, of one part of an initrd."""

    def __init__(self, data: bytes, start: int, *, kind: str, limit: int) -> None:
        self.position = 0  # bytes of what was packed that were taken
        self._end = start
        self._kind, self._start, self._limit = kind, start, limit
        self._buffer = b""
        self._at = 0
        self._pieces = self._unpacked(data)

    def end(self) -> int:
        """Return where in the initrd this part ends, once it was read."""
        return self._start + self.position if not self._kind else self._end

    def more(self, *, skip: bool = True) -> bool:
        """Tell whether anything but zeros is left, and with `skip` go there."""
        while True:
            if not skip and self._at < len(self._buffer):
                return True
            found = _SOMETHING.search(self._buffer, self._at) if skip else None
            if found:
                self.position += found.start() - self._at
                self._at = found.start()
                return True
            self.position += len(self._buffer) - self._at
            self._at = len(self._buffer)
            if not self._fill():
                return False

    def take_buffered(self) -> bytes:
        """Return what is unpacked already."""
        return self.take(len(self._buffer) - self._at)

    def take(self, length: int) -> bytes:
        """Return the next bytes. Raises InputError if there are not that many."""
        while len(self._buffer) - self._at < length:
            if not self._fill():
                raise InputError("the initrd is damaged: an archive ends within a file", hint="make it anew")
        taken = self._buffer[self._at : self._at + length]
        self._at += length
        self.position += length
        return taken

    def skip(self, length: int, *, may_end: bool = False) -> None:
        """Go on by some bytes."""
        while length:
            step = min(length, len(self._buffer) - self._at)
            self._at += step
            self.position += step
            length -= step
            if length and not self._fill():
                if may_end:
                    return
                raise InputError("the initrd is damaged: an archive ends within a file", hint="make it anew")

    def _fill(self) -> bool:
        piece = next(self._pieces, b"")
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        if self.position + len(self._buffer) > self._limit:
            raise InputError("the initrd unpacks to far more bytes than initrds do", hint="it may be a trap")
        return bool(piece)

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        """Yield what is packed in pieces that are not empty, and note where it ends."""
        start, kind = self._start, self._kind
        if kind == "lzo":
            raise InputError("the initrd is packed with lzo, which is not read", hint="make it anew with gzip or zstd")
        if not kind:
            for at in range(start, len(data), _PIECE):
                yield data[at : at + _PIECE]
        elif kind == "lz4":
            yield from self._unpacked_lz4(data)
        elif kind == "zstd":
            yield from self._unpacked_zstd(data)
        elif kind == "gzip":
            yield from self._unpacked_gzip(data)
        else:
            yield from self._unpacked_bounded(data)

    def _unpacked_zstd(self, data: bytes) -> Iterator[bytes]:
        import zstandard  # slow to load, and not every initrd needs it

        packed = zstandard.ZstdDecompressor().decompressobj()
        position = self._start
        while not packed.eof:
            chunk = data[position : position + _ZSTD_INPUT]
            position += len(chunk)
            try:
                piece = packed.decompress(chunk)
            except zstandard.ZstdError as error:
                raise self._damaged() from error
            if piece:
                yield piece
            elif not chunk and not packed.eof:
                raise self._damaged()
        self._end = position - len(packed.unused_data)

    def _unpacked_bounded(self, data: bytes) -> Iterator[bytes]:
        packed = bz2.BZ2Decompressor() if self._kind == "bzip2" else lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
        position = self._start
        while not packed.eof:
            chunk = data[position : position + _PIECE] if packed.needs_input else b""
            position += len(chunk)
            hungry = packed.needs_input
            try:
                piece = packed.decompress(chunk, _PIECE)
            except (lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise self._damaged() from error
            if piece:
                yield piece
            elif hungry and not chunk and not packed.eof:
                raise self._damaged()
        self._end = position - len(packed.unused_data)

    def _unpacked_gzip(self, data: bytes) -> Iterator[bytes]:
        packed = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        position, chunk = self._start, b""
        while not packed.eof:
            if not chunk:
                chunk = data[position : position + _PIECE]
                position += len(chunk)
                if not chunk:
                    raise self._damaged()
            try:
                piece = packed.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise self._damaged() from error
            chunk = packed.unconsumed_tail
            if piece:
                yield piece
        self._end = position - len(packed.unused_data)

    def _unpacked_lz4(self, data: bytes) -> Iterator[bytes]:
        """Yield the blocks of a legacy frame, which has no end mark: it ends where no length of a block follows."""
        position = self._start + len(lz4_library.MAGIC)
        while (length := int.from_bytes(data[position : position + 4], "little")) and position + 4 <= len(data):
            if position + 4 + length > len(data):
                break
            position += 4 + length
        self._end = position
        reader = memoryview(data)[self._start : position]
        at = 0

        def take(count: int) -> bytes:
            nonlocal at
            at += count
            return bytes(reader[at - count : at])

        yield from lz4_library.unpack(take, length=len(reader))

    def _damaged(self) -> InputError:
        return InputError(
            f"the initrd is damaged: what is packed with {self._kind} does not unpack", hint="make it anew"
        )
