"""The index of a release: its tree, and where in packs each content is.

    index = load(data, time=release.system.time, unpack=…)
    place = index.places[digest]         # begins in frame `place.frame`, may go on in the frames after it

A container (`model.container`) with six streams: the tree's outline; the digests of all contents, 32 bytes each; for
each file that holds something the number of its digest; for each digest frame and offset; for each frame pack, offset,
length and unpacked size; the SHA-256 of each frame as it is in the pack. Its head has "packs", [SHA-256, length] each.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from jeos.model import container, numbers, outline
from jeos.model.container import wrong
from jeos.model.release import Blob
from jeos.model.tree import Entry, Kind, Tree

FORMAT = 1
FRAME_BYTES = 1 << 20  # of contents, in every frame but the last of a pack
PACK_BYTES = 1 << 40  # of a pack: what nobody reaches
MOST_STREAM = 64 << 20  # bytes of a stream of the index, unpacked
_DIGEST_BYTES = 32
_STREAMS = 6


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a pack: `length` bytes from `offset` with SHA-256 `digest`, which unpack to `size` bytes."""

    pack: int
    offset: int
    length: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a content of `size` bytes is: from `offset` in a frame on, through as many frames after it as it needs."""

    frame: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class PackIndex:
    """The tree with digests, and where the contents are."""

    tree: Tree
    packs: tuple[Blob, ...]
    frames: tuple[Frame, ...]
    places: Mapping[str, Place]


def load(data: bytes, *, time: int, unpack: Callable[[bytes, int], bytes]) -> PackIndex:
    """Read an index; `time` is the release's, `unpack` returns what a frame unpacks to, given its length.

    Raises InputError if it is none.
    """

    def read(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    opened = container.load(container.INDEX, length=len(data), read=read, unpack=unpack)
    try:
        if opened.head["format"] != FORMAT or len(opened.streams) != _STREAMS:
            raise ValueError("an unknown format")
        if any(one.size > MOST_STREAM for one in opened.streams):
            raise ValueError("a stream is too long")
        packs = tuple(Blob(sha256=sha256, length=length) for sha256, length in opened.head["packs"])
        streams = [unpack(read(one.offset, one.length), one.size) for one in opened.streams]
        tree, unique = _tree(streams, time=time)
        frames = tuple(_frames(streams, packs=packs))
        return PackIndex(tree=tree, packs=packs, frames=frames, places=_places(streams[3], tree, unique, frames))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise wrong(str(error)[:80]) from error


def _split(packed: bytes) -> list[str]:
    if len(packed) % _DIGEST_BYTES:
        raise ValueError("a digest is cut off")
    return [packed[at : at + _DIGEST_BYTES].hex() for at in range(0, len(packed), _DIGEST_BYTES)]


def _tree(streams: list[bytes], *, time: int) -> tuple[Tree, list[str]]:
    unique = _split(streams[1])
    which = iter(numbers.unpack(streams[2]))
    digests: dict[str, str] = {}
    entries: list[Entry] = []
    for entry in outline.parse(streams[0], time=time):
        digest = ""
        if entry.kind is Kind.FILE and entry.size:
            digest = digests[entry.hardlink] if entry.hardlink else unique[next(which, len(unique))]
        digests[entry.path] = digest
        entries.append(replace(entry, digest=digest))
    if next(which, None) is not None:
        raise ValueError("it has more contents than files")
    return Tree(tuple(entries)), unique


def _frames(streams: list[bytes], *, packs: tuple[Blob, ...]) -> Iterator[Frame]:
    digests, flat = _split(streams[5]), numbers.unpack(streams[4])
    if len(flat) != 4 * len(digests):
        raise ValueError("its frames do not have four numbers each")
    for number, digest in enumerate(digests):
        pack, offset, length, size = flat[4 * number : 4 * number + 4]
        if pack >= len(packs) or offset + length > packs[pack].length or not 0 < size <= FRAME_BYTES:
            raise ValueError(f"frame {number} is in no pack")
        yield Frame(pack=pack, offset=offset, length=length, size=size, digest=digest)


def _places(packed: bytes, tree: Tree, unique: list[str], frames: tuple[Frame, ...]) -> dict[str, Place]:
    flat = numbers.unpack(packed)
    if len(flat) != 2 * len(unique) or len(set(unique)) != len(unique):
        raise ValueError("its contents do not have a place each")
    sizes: dict[str, int] = {}
    for entry in tree:
        if entry.digest and sizes.setdefault(entry.digest, entry.size) != entry.size:
            raise ValueError("a content has two sizes")
    places = {}
    for number, digest in enumerate(unique):
        frame, offset, size = flat[2 * number], flat[2 * number + 1], sizes[digest]
        left, last = offset + size, frame
        while left > 0:
            left -= frames[last].size
            last += 1
        places[digest] = Place(frame=frame, offset=offset, size=size)
    return places
