"""The part of a patch that makes the kernel image: section by section, unpacked where it can be packed again.

The guest packs with the libraries of its running system. So what they make of the new release's initial file system
and kernel is tried here, with those very libraries out of the older release; where it differs, the section is whole.
"""

import io
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from jeos.channel.source import Source, contents
from jeos.channel.streams import Streams, digest
from jeos.core.errors import HostError, InputError
from jeos.disk import bzimage, cpio, lz4_library, uki, word_tables
from jeos.disk import zstd_library as zstd
from jeos.model.kernel_plan import INITRD, INITRD_LEVEL, INITRD_TUNING, INITRD_WINDOW_LOG, KERNEL, Piece
from jeos.model.tree import Kind

SECTIONS = (KERNEL, INITRD)
ARCHIVE_LEVEL = 12  # nearly all of it is in what it is packed behind: 19 takes two seconds more and gains 150 bytes
SMALLEST_REFERENCE = 512  # bytes of a file of the slot that the initial file system has too


def make(old: Source, new: Source, streams: Streams) -> dict[str, object]:
    """Return what a patch's head says of the kernel image, its streams added to `streams`."""
    before, after = old.kernel.read_bytes(), new.kernel.read_bytes()
    old_places, new_places = uki.places(io.BytesIO(before)), uki.places(io.BytesIO(after))
    pieces: list[dict[str, object]] = []
    for name in sorted(set(SECTIONS) & old_places.keys() & new_places.keys(), key=lambda name: new_places[name]):
        start, length = new_places[name]
        first, old_length = old_places[name]
        was, now = before[first : first + old_length], after[start : start + length]
        where = {"at": start, "length": length, "section": name}
        pieces.append({**where, **_piece(name, was, now, old=old, new=new, streams=streams)})
    return {
        "length": len(after),
        "frame": streams.add(_frame(after, new_places), prefix=_frame(before, old_places)),
        "pieces": pieces,
    }


def _frame(image: bytes, places: dict[str, tuple[int, int]]) -> bytes:
    """Return all of an image but the large sections."""
    parts, done = [], 0
    for start, length in sorted(places[name] for name in SECTIONS if name in places):
        parts.append(image[done:start])
        done = start + length
    return b"".join((*parts, image[done:]))


def _piece(name: str, was: bytes, now: bytes, *, old: Source, new: Source, streams: Streams) -> dict[str, object]:
    if was == now:
        return {"kind": Piece.OLD}
    make_one = _initrd if name == INITRD else _kernel
    try:
        found = make_one(was, now, old=old, new=new, streams=streams)
    except (InputError, HostError):  # packed in a way that is not known, or a library of another machine
        found = None
    return found or {"kind": Piece.RAW, "stream": streams.add(now)}


def _library(source: Source, name: str, folder: Path) -> str:
    """Write a library of a release's slot into a folder and return its path. Raises InputError if it has none."""
    for entry in source.tree:
        if entry.kind is Kind.FILE and entry.name.startswith(f"{name}.") and entry.path.startswith("usr/lib/"):
            path = folder / entry.name
            path.write_bytes(source.read(entry.digest))
            return str(path)
    raise InputError(f"the release {source.version} has no {name}")


def _unpack_zstd(packed: bytes) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    except zstandard.ZstdError as error:
        raise InputError(f"the initial file system is not packed with zstd: {error}") from error


def _initrd(was: bytes, now: bytes, *, old: Source, new: Source, streams: Streams) -> dict[str, object] | None:
    """Describe the archive behind what the new slot and the old archive have of it, if it can be packed again."""
    before, after = _unpack_zstd(was), _unpack_zstd(now)
    with tempfile.TemporaryDirectory() as folder:
        library = _library(old, "libzstd.so", Path(folder))
        packed = streams.memory.once(
            ("initrd", digest(after), digest(Path(library).read_bytes())),
            lambda: zstd.compress(
                after,
                level=INITRD_LEVEL,
                window_log=INITRD_WINDOW_LOG,
                tuning=INITRD_TUNING,
                long=False,
                path=library,
            ),
        )
    if packed != now:
        return None
    sizes = {length for _, _, length in cpio.members(after) if length >= SMALLEST_REFERENCE}
    references, parts = [], []
    for number, entry in enumerate(contents(new.tree)):
        if entry.size in sizes:
            data = new.read(entry.digest)
            if data in after and data not in before and number not in references:
                references.append(number)
                parts.append(data)
    return {
        "kind": Piece.INITRD,
        "old_size": len(before),
        "references": references,
        "stream": streams.add(after, prefix=b"".join((*parts, before)), level=ARCHIVE_LEVEL),
    }


def _kernel(was: bytes, now: bytes, *, old: Source, new: Source, streams: Streams) -> dict[str, object] | None:
    """Describe the unpacked kernel by its differences, if it is packed with LZ4 and can be packed again."""
    payloads = [bzimage.payload_place(image) for image in (was, now)]
    kernels, frames = [], []
    for image, (start, length) in zip((was, now), payloads, strict=True):
        packed = io.BytesIO(image[start : start + length])
        kernels.append(b"".join(lz4_library.unpack(packed.read, length=length)))
        frames.append(image[:start] + image[start + length :])
    with tempfile.TemporaryDirectory() as folder:
        library = _library(old, "liblz4.so", Path(folder))
        again = streams.memory.once(
            ("lz4", digest(kernels[1]), digest(Path(library).read_bytes())),
            lambda: b"".join(lz4_library.pack(_blocks(kernels[1]), path=library)),
        )
    start, length = payloads[1]
    if again != now[start : start + length]:
        return None
    tables = [streams.memory.once(("tables", digest(one)), partial(word_tables.find, one)) for one in kernels]
    return {
        "kind": Piece.LZ4,
        "old_payload": list(payloads[0]),
        "old_size": len(kernels[0]),
        "start": start,
        "size": len(kernels[1]),
        "frame": streams.add(frames[1], prefix=frames[0]),
        "old_tables": tables[0],
        "tables": tables[1],
        "streams": streams.add_difference([streams.memory.difference(*map(word_tables.flatten, kernels, tables))]),
    }


def _blocks(kernel: bytes) -> Iterator[bytes]:
    for start in range(0, len(kernel), lz4_library.BLOCK):
        yield kernel[start : start + lz4_library.BLOCK]
