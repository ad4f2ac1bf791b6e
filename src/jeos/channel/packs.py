"""Packs: every content of a release, compressed in frames that a guest fetches one by one; and the index of them.

    index, packs = make(new, earlier=[index of each release that is still there])

What an earlier release's packs have is not packed again: the index names their frames. `docs/reference/patch-format.md`
describes both files.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jeos.channel.source import Source, contents, outlined
from jeos.disk import zstd_library as zstd
from jeos.model import container, numbers, pack_index
from jeos.model.pack_index import Frame, PackIndex, Place
from jeos.model.release import Blob
from jeos.model.tree import Entry

LEVEL = 15  # of packs: level 19 takes three times as long for 3 % less
PACK_BYTES = 256 << 20  # of a pack, from which on another one begins


@dataclass(frozen=True, slots=True)
class Packed:
    """What `make` made: the index, and the packs that are new; `packs` are all that the index names."""

    index: bytes
    new: tuple[bytes, ...]
    packs: tuple[Blob, ...]


def make(new: Source, *, earlier: Iterable[PackIndex] = ()) -> Packed:
    """Return a release's index, and packs with what no `earlier` index knows."""
    known: dict[str, tuple[PackIndex, Place]] = {}
    for index in earlier:
        for digest, place in index.places.items():
            known.setdefault(digest, (index, place))
    packs: list[Blob] = []
    frames: list[Frame] = []
    places: dict[str, Place] = {}
    borrowed: dict[tuple[int, int], int] = {}  # an earlier index and its frame → the number of the frame here
    wanted: dict[str, Entry] = {}
    for entry in contents(new.tree):
        if entry.digest in known and entry.digest not in places:
            places[entry.digest] = _borrow(*known[entry.digest], packs=packs, frames=frames, borrowed=borrowed)
        elif entry.digest not in places:
            wanted.setdefault(entry.digest, entry)
    made = _pack(new, sorted(wanted.values(), key=kind_of), first=len(packs), frames=frames, places=places)
    packs += [Blob(sha256=hashlib.sha256(one).hexdigest(), length=len(one)) for one in made]
    return Packed(index=_dump(new, packs, frames, places), new=tuple(made), packs=tuple(packs))


def kind_of(entry: Entry) -> tuple[str, str]:
    """Return what contents are sorted by, so that those that are alike are compressed together."""
    return entry.name.rpartition(".")[2] if "." in entry.name else "", entry.path


def _borrow(
    index: PackIndex, place: Place, *, packs: list[Blob], frames: list[Frame], borrowed: dict[tuple[int, int], int]
) -> Place:
    """Return the place of a content that an earlier pack has; its frames are added here."""
    number = place.frame
    left = place.offset + place.size
    first = -1
    while left > 0:
        frame = index.frames[number]
        key = (id(index), number)
        # The frames of one content follow each other, so a run that was borrowed in part is borrowed anew.
        if first < 0 and key in borrowed and left <= frame.size:
            return Place(frame=borrowed[key], offset=place.offset, size=place.size)
        blob = index.packs[frame.pack]
        if blob not in packs:
            packs.append(blob)
        frames.append(Frame(packs.index(blob), frame.offset, frame.length, frame.size, frame.digest))
        borrowed[key] = len(frames) - 1
        if first < 0:
            first = len(frames) - 1
        left -= frame.size
        number += 1
    return Place(frame=first, offset=place.offset, size=place.size)


def _pack(
    new: Source, wanted: Sequence[Entry], *, first: int, frames: list[Frame], places: dict[str, Place]
) -> list[bytes]:
    """Pack contents one behind the other, cut into frames of equal length; return the packs."""
    packs: list[list[bytes]] = []
    buffer = bytearray()
    used = pack_index.PACK_BYTES

    def flush(length: int) -> None:
        nonlocal used
        data = bytes(buffer[:length])
        del buffer[:length]
        packed = zstd.compress(data, level=LEVEL)
        if used + len(packed) > PACK_BYTES:
            packs.append([])
            used = 0
        frames.append(Frame(first + len(packs) - 1, used, len(packed), length, hashlib.sha256(packed).hexdigest()))
        packs[-1].append(packed)
        used += len(packed)

    for entry in wanted:
        places[entry.digest] = Place(frame=len(frames), offset=len(buffer), size=entry.size)
        buffer += new.read(entry.digest)
        while len(buffer) >= pack_index.FRAME_BYTES:
            flush(pack_index.FRAME_BYTES)
    if buffer:
        flush(len(buffer))
    return [b"".join(parts) for parts in packs]


def _dump(new: Source, packs: Sequence[Blob], frames: Sequence[Frame], places: dict[str, Place]) -> bytes:
    unique = list(dict.fromkeys(entry.digest for entry in contents(new.tree)))
    number_of = {digest: number for number, digest in enumerate(unique)}
    streams = [
        outlined(new),
        b"".join(map(bytes.fromhex, unique)),
        numbers.pack(number_of[entry.digest] for entry in contents(new.tree)),
        numbers.pack(part for digest in unique for part in (places[digest].frame, places[digest].offset)),
        numbers.pack(part for one in frames for part in (one.pack, one.offset, one.length, one.size)),
        b"".join(bytes.fromhex(one.digest) for one in frames),
    ]
    return container.dump(
        container.INDEX,
        head={"format": pack_index.FORMAT, "packs": [[one.sha256, one.length] for one in packs]},
        streams=[(zstd.compress(data), len(data)) for data in streams],
        pack=zstd.compress,
    )
