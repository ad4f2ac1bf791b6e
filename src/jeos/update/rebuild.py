"""Make a release's slot and kernel image out of the running ones, a patch, and packs for all that is missing.

    rebuild(release, active="/dev/mapper/root", kernel="/efi/EFI/Linux/web_1.0.efi", patch="…/patch", fetch=…, …)

First by the patch. If it does not fit or is damaged, or what it makes is not what was signed, then by the release's
index: what the running slot has is copied, the rest is fetched. A run that was cut short is just begun again.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from jeos.core.errors import JeosError
from jeos.disk import verity
from jeos.disk import zstd_library as zstd
from jeos.model import numbers, outline, pack_index
from jeos.model.container import wrong
from jeos.model.patch import BATCH_BYTES, FORMAT, Group, Origin, origins
from jeos.model.release import Release
from jeos.model.tree import Entry, Tree
from jeos.update import kernel_image
from jeos.update.base import Base, contents, opened
from jeos.update.errors import RebuildError
from jeos.update.kernel_image import Fetch
from jeos.update.pack_reader import PackReader
from jeos.update.patch_file import PatchFile
from jeos.update.slot_writer import SlotWriter
from jeos.update.window import Window

DIGEST_BYTES = 32
LARGEST_INDEX = 64 << 20
FETCHED_BYTES = 1 << 20
# What damaged input may raise, whatever it is damaged like.
DAMAGE = (JeosError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError)


def rebuild(
    release: Release,
    *,
    active: str,
    kernel: str,
    patch: str | None,
    fetch: Fetch,
    system: str,
    hashes: str,
    kernel_out: str,
    work: str,
) -> str:
    """Write a release's system, hashes and kernel image; each is what was signed when this returns.

    `active` is the running system's EROFS (its verified device), `kernel` the running kernel image; `system` and
    `hashes` are partitions or files that exist, `kernel_out` a file that is made. `fetch` returns bytes of a blob from
    an offset on. Returns why the patch could not be used, or "". Raises RebuildError if the result is not what was
    signed, and what `fetch` raises.
    """
    Path(work).mkdir(parents=True, exist_ok=True)
    why = "there is none"
    done = False
    with opened(active) as base, _patch_file(patch) as descriptor:
        if descriptor is not None:
            try:
                file = PatchFile(descriptor)
                content = _by_patch(release, base, file, system=system, hashes=hashes)
                done = True
                kernel_image.patch(file, kernel=kernel, content=content, out=kernel_out, work=work)
                why = kernel_image.unlike(kernel_out, release.kernel)
            except DAMAGE as error:
                why = str(error).partition("\n")[0][:200] or type(error).__name__
        if not done:
            _by_index(release, base, fetch=fetch, system=system, hashes=hashes)
    if why:
        kernel_image.obtain(release.kernel, kernel=kernel, fetch=fetch, out=kernel_out)
    return why if patch else ""


@contextmanager
def _patch_file(path: str | None) -> Iterator[int | None]:
    if path is None or not Path(path).exists():
        yield None
        return
    with open(path, "rb") as file:
        yield file.fileno()


@contextmanager
def _writing(path: str) -> Iterator[int]:
    """Open a partition or file for writing, and flush it to disk at the end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield descriptor
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seal(release: Release, *, system: str, hashes: str) -> None:
    """Write the hashes of a slot. Raises RebuildError if its root hash is not the one that was signed."""
    made = release.system
    with open(system, "rb") as data, open(hashes, "r+b") as out:
        salt = bytes.fromhex(made.salt)
        root_hash = verity.write_tree(data, size=made.size, out=out, salt=salt, uuid=made.hashes_uuid)
        out.flush()
        os.fsync(out.fileno())
    if root_hash != release.root_hash:
        raise RebuildError(f"the system that was made has the root hash {root_hash}, not {release.root_hash}")


def _by_patch(release: Release, base: Base, file: PatchFile, *, system: str, hashes: str) -> kernel_image.Content:
    """Make the slot by a patch, and return what reads its contents by number."""
    head = file.container.head
    if head["format"] != FORMAT:
        raise wrong(f"its format is {str(head['format'])[:40]}")
    text = file.table(head["outline"], prefix=base.outline(), most=outline.MOST_BYTES)
    tree = outline.parse(text, time=release.system.time)
    new = contents(tree)
    packed = numbers.unpack(file.table(head["operations"]))
    groups = list(head["groups"])
    found = origins(packed, new=new, old=base.contents, groups=len(groups))
    tree = _named(tree, found)
    names = [entry.digest for entry in contents(tree)]
    digests = file.table(head["digests"])
    with _writing(system) as descriptor:
        writer = SlotWriter(descriptor, tree, release.system)
        members: defaultdict[int, list[_Member]] = defaultdict(list)
        for name, entry, origin in zip(names, new, found, strict=True):
            if origin.old:
                writer.put(name, base.pieces(origin.old), size=entry.size)
            elif origin.group >= 0:
                at = sum(map(len, members.values())) * DIGEST_BYTES
                digest = digests[at : at + DIGEST_BYTES].hex()
                members[origin.group].append(_Member(name, entry.size, digest, origin.before))
        for number, group in enumerate(groups):
            _make_group(group, members[number], file=file, base=base, writer=writer)
        writer.finish()
    _seal(release, system=system, hashes=hashes)
    return partial(_content, system=system, places=writer.places(), names=names)


def _content(number: int, *, system: str, places: dict[str, tuple[int, int]], names: list[str]) -> bytes:
    """Return a content of the new slot."""
    if not 0 <= number < len(names):
        raise wrong(f"it names content {number} of {len(names)}")
    start, size = places[names[number]]
    with open(system, "rb") as file:
        return os.pread(file.fileno(), size, start)


def _named(tree: Tree, found: list[Origin]) -> Tree:
    """Return a tree whose equal contents have equal names, numbers, in place of digests."""
    names: list[str] = []
    for number, origin in enumerate(found):
        names.append(names[origin.again] if origin.again >= 0 else str(number))
    name_of = dict(zip((entry.path for entry in contents(tree)), names, strict=True))
    return Tree(tuple(replace(entry, digest=name_of.get(entry.hardlink or entry.path, "")) for entry in tree))


class _Member:
    """A content that a group makes: its name in the slot, size, digest, and the path of its predecessor."""

    __slots__ = ("before", "digest", "name", "size")

    def __init__(self, name: str, size: int, digest: str, before: str) -> None:
        if len(digest) != 2 * DIGEST_BYTES:
            raise wrong("a content has no digest")
        self.name, self.size, self.digest, self.before = name, size, digest, before


def _make_group(
    group: dict[str, object], members: list[_Member], *, file: PatchFile, base: Base, writer: SlotWriter
) -> None:
    """Make all contents of a group."""
    kind = Group(str(group["kind"]))
    streams = group["streams"]
    if kind is Group.DIFFERENCES:
        with file.differences(streams) as differences:
            for one in members:
                old = Window(partial(_old_bytes, base, one.before), size=base.size(one.before))
                pieces = differences.apply(old, size=one.size)
                writer.put(one.name, pieces, size=one.size, digest=one.digest)
        return
    if not isinstance(streams, list) or len(streams) != 1:
        raise wrong(f"a group of kind {kind} does not have one stream")
    if kind is Group.PLAIN:
        with file.reader(streams[0]) as reader:
            for one in members:
                writer.put(one.name, _pieces(reader, one.size), size=one.size, digest=one.digest)
        return
    sizes = {entry.path: entry.size for entry in base.contents}
    if sum(one.size + sizes.get(one.before, 0) for one in members) > BATCH_BYTES:
        raise wrong("a batch is too large")
    before = b"".join(base.read(one.before) for one in members if one.before)
    data = file.batch(streams[0], before=before, size=sum(one.size for one in members))
    done = 0
    for one in members:
        writer.put(one.name, [data[done : done + one.size]], size=one.size, digest=one.digest)
        done += one.size


def _old_bytes(base: Base, path: str, offset: int, length: int) -> bytes:
    return base.read(path, offset=offset, length=length)


def _pieces(reader: zstd.Reader, size: int) -> Iterator[bytes]:
    for start in range(0, size, FETCHED_BYTES):
        yield reader.read(min(FETCHED_BYTES, size - start))


def _by_index(release: Release, base: Base, *, fetch: Fetch, system: str, hashes: str) -> None:
    """Make the slot of what the running one has and of what the packs have."""
    index = _index(release, fetch=fetch)
    sizes = {place.size for place in index.places.values()}
    have = _digests(base, sizes=sizes)
    with _writing(system) as descriptor:
        writer = SlotWriter(descriptor, index.tree, release.system)
        packs = PackReader(index, fetch=fetch)
        for digest, place in sorted(index.places.items(), key=lambda item: (item[1].frame, item[1].offset)):
            if digest in have:
                writer.put(digest, base.pieces(have[digest].path), size=place.size)
            elif not writer.holds(digest, size=place.size, digest=digest):
                writer.put(digest, packs.pieces(place), size=place.size, digest=digest)
        writer.finish()
    _seal(release, system=system, hashes=hashes)


def _index(release: Release, *, fetch: Fetch) -> pack_index.PackIndex:
    blob = release.index
    if blob.length > LARGEST_INDEX:
        raise RebuildError(f"the release's index has {blob.length} bytes, more than {LARGEST_INDEX}")
    starts = range(0, blob.length, FETCHED_BYTES)
    data = b"".join(fetch(blob, start, min(FETCHED_BYTES, blob.length - start)) for start in starts)
    if sha256(data).hexdigest() != blob.sha256:
        raise RebuildError(f"the release's index does not have the digest {blob.sha256}")
    return pack_index.load(
        data, time=release.system.time, unpack=lambda packed, size: zstd.decompress(packed, size=size)
    )


def _digests(base: Base, *, sizes: set[int]) -> dict[str, Entry]:
    """Return the running slot's files by digest, as far as they have a size that is wanted."""
    found: dict[str, Entry] = {}
    for entry in base.contents:
        if entry.size in sizes:
            state = sha256()
            for piece in base.pieces(entry.path):
                state.update(piece)
            found[state.hexdigest()] = entry
    return found
