"""Make the new kernel image: from the running one and a patch, section by section, or whole from the channel."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from jeos.core import files
from jeos.core.errors import InputError
from jeos.disk import lz4_library, uki, word_tables
from jeos.disk import zstd_library as zstd
from jeos.model.container import wrong
from jeos.model.kernel_plan import INITRD, INITRD_LEVEL, INITRD_TUNING, INITRD_WINDOW_LOG, KERNEL, Piece
from jeos.model.release import Blob
from jeos.update.errors import RebuildError
from jeos.update.patch_file import PatchFile
from jeos.update.window import Window

PIECE_BYTES = 256 << 10
PREFIX = 16  # digits of a kernel image's digest that name what has come of it
LARGEST_KERNEL = 256 << 20  # bytes of a kernel, unpacked
LARGEST_ARCHIVE = 48 << 20  # bytes of an initial file system with what it is packed behind
LARGEST_FRAME = 8 << 20  # bytes of all but the large sections

Content = Callable[[int], bytes]  # the bytes of a content of the new slot, by its number
Fetch = Callable[[Blob, int, int], bytes]


def unlike(path: str, blob: Blob) -> str:
    """Return "" if a file is what was signed, else what is wrong with it."""
    state, size = sha256(), 0
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            state.update(piece)
            size += len(piece)
    if (state.hexdigest(), size) == (blob.sha256, blob.length):
        return ""
    return f"the kernel image has {size} bytes and the digest {state.hexdigest()}, not {blob.sha256}"


def obtain(blob: Blob, *, kernel: str, fetch: Fetch, out: str) -> None:
    """Write a whole image: the running one if it is the same, else the channel's, from where an attempt broke off.

    Raises RebuildError if it is not what was signed.
    """
    if not unlike(kernel, blob):
        shutil.copyfile(kernel, out)
        return
    part = f"{out}.{blob.sha256[:PREFIX]}{files.PARTIAL_SUFFIX}"
    for other in Path(out).parent.glob(f"{Path(out).name}*{files.PARTIAL_SUFFIX}"):
        if str(other) != part:  # of a release that was given up
            other.unlink()
    begun = os.path.exists(part)
    _fetch(blob, part, fetch=fetch)
    if begun and unlike(part, blob):  # what was begun may be what a power cut left of it
        os.unlink(part)
        _fetch(blob, part, fetch=fetch)
    wrong_with = unlike(part, blob)
    if wrong_with:
        os.unlink(part)
        raise RebuildError(f"the channel sent something else than was signed: {wrong_with}")
    os.replace(part, out)


def _fetch(blob: Blob, part: str, *, fetch: Fetch) -> None:
    """Write a blob to a file that may hold its beginning."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        start = min(os.fstat(descriptor).st_size, blob.length) // PIECE_BYTES * PIECE_BYTES
        for offset in range(start, blob.length, PIECE_BYTES):
            length = min(PIECE_BYTES, blob.length - offset)
            data = fetch(blob, offset, length)
            if len(data) != length:
                raise RebuildError(f"the channel sent {len(data)} bytes of the kernel image instead of {length}")
            files.write_at(descriptor, data, offset=offset)
        os.ftruncate(descriptor, blob.length)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def patch(file: PatchFile, *, kernel: str, content: Content, out: str, work: str) -> None:
    """Write the image that a patch makes. Raises InputError if the patch is damaged, HostError without a library."""
    plan = file.container.head["kernel"]
    with open(kernel, "rb") as old:
        places = uki.places(old)
        frame = file.table(plan["frame"], prefix=_frame(old.fileno(), places), most=LARGEST_FRAME)
        pieces = _checked(plan["pieces"], length=plan["length"], frame=len(frame))
        Path(out).unlink(missing_ok=True)
        descriptor = os.open(out, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            done = used = 0
            for piece in pieces:
                files.write_at(descriptor, frame[used : used + piece["at"] - done], offset=done)
                used += piece["at"] - done
                maker = _Section(file, piece, old=old.fileno(), places=places, content=content, work=work)
                written = _write(descriptor, maker.pieces(), offset=piece["at"], length=piece["length"])
                done = piece["at"] + written
            files.write_at(descriptor, frame[used:], offset=done)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _frame(descriptor: int, places: dict[str, tuple[int, int]]) -> bytes:
    """Return all of the running image but its large sections."""
    parts, done = [], 0
    for start, length in sorted(places[name] for name in (KERNEL, INITRD) if name in places):
        parts.append(os.pread(descriptor, start - done, done))
        done = start + length
    return b"".join((*parts, os.pread(descriptor, os.fstat(descriptor).st_size - done, done)))


def _checked(pieces: list[dict[str, Any]], *, length: int, frame: int) -> list[dict[str, Any]]:
    """Return the large sections, if with the frame they make up an image of `length` bytes."""
    done = 0
    for piece in pieces:
        if not done <= piece["at"] <= length or piece["length"] < 0:
            raise wrong("sections of the kernel image overlap")
        done = piece["at"] + piece["length"]
    if sum(piece["length"] for piece in pieces) + frame != length or done > length:
        raise wrong("sections of the kernel image do not fill it")
    return pieces


def _write(descriptor: int, data: Iterator[bytes], *, offset: int, length: int) -> int:
    done = 0
    for piece in data:
        if done + len(piece) > length:
            raise wrong(f"a section of the kernel image has more than {length} bytes")
        files.write_at(descriptor, piece, offset=offset + done)
        done += len(piece)
    if done != length:
        raise wrong(f"a section of the kernel image has {done} bytes instead of {length}")
    return done


class _Section:
    """One large section, made as its kind says."""

    def __init__(
        self,
        file: PatchFile,
        piece: dict[str, Any],
        *,
        old: int,
        places: dict[str, tuple[int, int]],
        content: Content,
        work: str,
    ) -> None:
        self._file, self._piece, self._old, self._content, self._work = file, piece, old, content, work
        self._start, self._length = places[str(piece["section"])]

    def pieces(self) -> Iterator[bytes]:
        """Yield the section."""
        kind = Piece(str(self._piece["kind"]))
        makers = {
            Piece.OLD: self._copied,
            Piece.RAW: self._raw,
            Piece.INITRD: self._initrd,
            Piece.LZ4: self._lz4,
        }
        return makers[kind]()

    def _copied(self) -> Iterator[bytes]:
        for offset in range(0, self._length, PIECE_BYTES):
            yield os.pread(self._old, min(PIECE_BYTES, self._length - offset), self._start + offset)

    def _raw(self) -> Iterator[bytes]:
        with self._file.reader(self._piece["stream"]) as reader:
            while reader.left:
                yield reader.read(min(reader.left, PIECE_BYTES))

    def _initrd(self) -> Iterator[bytes]:
        old_size = _number(self._piece["old_size"], most=LARGEST_ARCHIVE)
        packed = os.pread(self._old, self._length, self._start)
        references = self._piece["references"]
        if (
            not isinstance(references, list)
            or self._file.container.stream(self._piece["stream"]).size > LARGEST_ARCHIVE
        ):
            raise wrong("an initial file system is too large")
        parts: list[bytes] = []
        size = old_size
        for number in references:
            parts.append(self._content(_number(number, most=1 << 32)))
            size += len(parts[-1])
            if size > LARGEST_ARCHIVE:
                raise wrong("an initial file system is packed behind too much")
        parts.append(zstd.decompress(packed, size=old_size))
        archive = self._file.table(self._piece["stream"], prefix=b"".join(parts), most=LARGEST_ARCHIVE)
        del parts, packed
        yield zstd.compress(archive, level=INITRD_LEVEL, window_log=INITRD_WINDOW_LOG, tuning=INITRD_TUNING, long=False)

    def _lz4(self) -> Iterator[bytes]:
        old_start, old_length = _pair(self._piece["old_payload"], most=self._length)
        size = _number(self._piece["size"], most=LARGEST_KERNEL)
        old_size = _number(self._piece["old_size"], most=LARGEST_KERNEL)
        before = os.pread(self._old, old_start, self._start)
        behind = self._start + old_start + old_length
        before += os.pread(self._old, self._length - old_start - old_length, behind)
        frame = self._file.table(self._piece["frame"], prefix=before, most=LARGEST_FRAME)
        start = _number(self._piece["start"], most=len(frame))
        yield frame[:start]
        path = Path(self._work) / "kernel.old"
        path.unlink(missing_ok=True)
        unpacked = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        path.unlink()  # nothing is left of it, however this ends
        try:
            self._unpack(unpacked, start=self._start + old_start, length=old_length, size=old_size)
            for at, long in word_tables.checked(self._piece["old_tables"], size=old_size):
                files.write_at(unpacked, word_tables.flatten(os.pread(unpacked, long, at), [(0, long)]), offset=at)
            with self._file.differences(self._piece["streams"]) as differences:
                pieces = differences.apply(Window(_reading(unpacked, size=old_size), size=old_size), size=size)
                tables = word_tables.checked(self._piece["tables"], size=size)
                pieces = word_tables.restore(pieces, tables)
                yield from lz4_library.pack(_blocks(pieces, length=lz4_library.BLOCK))
        finally:
            os.close(unpacked)
        yield frame[start:]

    def _unpack(self, out: int, *, start: int, length: int, size: int) -> None:
        position = start

        def read(wanted: int) -> bytes:
            nonlocal position
            data = os.pread(self._old, min(wanted, start + length - position), position)
            position += len(data)
            return data

        done = 0
        for block in lz4_library.unpack(read, length=length):
            if done + len(block) > size:
                raise wrong("the running kernel is larger than the patch says")
            files.write_at(out, block, offset=done)
            done += len(block)


def _reading(descriptor: int, *, size: int) -> Callable[[int, int], bytes]:
    def read(offset: int, length: int) -> bytes:
        data = os.pread(descriptor, length, offset)
        if len(data) != length:
            raise InputError(f"a kernel of {size} bytes has no {length} bytes at {offset}")
        return data

    return read


def _blocks(pieces: Iterator[bytes], *, length: int) -> Iterator[bytes]:
    """Yield what comes in pieces in blocks of `length` bytes, the last one shorter."""
    block: list[bytes] = []
    used = 0
    for piece in pieces:
        rest = piece
        while rest:
            part = rest[: length - used]
            block.append(part)
            used += len(part)
            rest = rest[len(part) :]
            if used == length:
                yield b"".join(block)
                block, used = [], 0
    if block:
        yield b"".join(block)


def _number(value: object, *, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise wrong(f"the number {str(value)[:40]} is not from 0 to {most}")
    return value


def _pair(value: object, *, most: int) -> tuple[int, int]:
    if not isinstance(value, Sequence) or len(value) != 2:
        raise wrong("a place is no pair")
    start, length = (_number(part, most=most) for part in value)
    if start + length > most:
        raise wrong(f"a place ends at {start + length} of {most}")
    return start, length
