"""What a release holds, from the build or from the channel itself; and its packs and patches, written and checked.

index, *packs = write_packs(built, backend, earlier=[one.release for one in listed])
patch = make_patch(old.release, release, built, backend, work=work, memory=memory)
for problem in check_contents(reader, release, work=work): …
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from jeos.channel import delta, layout, packs
from jeos.channel.backend import Backend
from jeos.channel.blobs import blob_of, is_there, put_blob
from jeos.channel.built import Built
from jeos.channel.source import Source
from jeos.channel.streams import Memory
from jeos.core import log
from jeos.core.errors import JeosError, TrustError
from jeos.disk import erofs, verity
from jeos.disk import zstd_library as zstd
from jeos.model import container, pack_index
from jeos.model.pack_index import PackIndex
from jeos.model.release import MOST_PACKS, Blob, Release
from jeos.store.places.place import Reader

FRAMES_HELD = 64  # unpacked frames of old releases kept in memory: 64 MiB


Progress = Callable[[int, int], None]  # bytes done, of all


@contextmanager
def source_of_build(built: Built, *, progress: Progress | None = None) -> Iterator[Source]:
    """Give what a build holds, read from its disk; `progress` is told how much of it was read."""
    places = {entry.digest: entry.path for entry in built.tree if entry.digest and not entry.hardlink}
    done = 0
    with built.filesystem() as filesystem:

        def read(digest: str) -> bytes:
            """Return the content with this SHA-256."""
            nonlocal done
            data = filesystem.read(places[digest])
            done += len(data)
            if progress is not None:
                progress(done, built.tree.size)
            return data

        yield Source(
            version=built.image.version,
            root_hash=built.image.root_hash,
            time=built.time,
            tree=built.tree,
            read=read,
            kernel=built.kernel,
        )


def source_of_release(release: Release, reader: Reader, *, work: Path) -> Source:
    """Return what a release holds that was published earlier, read from the channel's own packs.

    Its kernel image is fetched into `work`. Raises TrustError if a blob is not what the release says.
    """
    kernel = work / f"{release.kernel.sha256}.efi"
    if not kernel.exists():
        kernel.write_bytes(fetch(reader, release.kernel))
    index = read_index(release, reader)
    return Source(
        version=release.version,
        root_hash=release.root_hash,
        time=release.system.time,
        tree=index.tree,
        read=reading(index, reader),
        kernel=kernel,
    )


def fetch(reader: Reader, blob: Blob) -> bytes:
    """Return a whole blob, checked. Raises TrustError if it is another than it should be."""
    name = layout.blob_name(blob.sha256)
    data = reader.get(name, limit=blob.length + 1)
    if blob_of(data) != blob:
        raise TrustError(f"{name} in {reader.place} is not what its name says", hint="`jeos channel verify` tells more")
    return data


def read_index(release: Release, reader: Reader) -> PackIndex:
    """Return the index of a release. Raises InputError if it is none, TrustError if it is not what was signed."""
    return pack_index.load(fetch(reader, release.index), time=release.system.time, unpack=_unpack)


def _unpack(data: bytes, size: int) -> bytes:
    return zstd.decompress(data, size=size)


def reading(index: PackIndex, reader: Reader) -> Callable[[str], bytes]:
    """Return what reads contents by their digest from packs, frame by frame, and checks them."""

    @lru_cache(maxsize=FRAMES_HELD)
    def frame(number: int) -> bytes:
        """Return an unpacked frame."""
        one = index.frames[number]
        name = layout.blob_name(index.packs[one.pack].sha256)
        packed = reader.get(name, offset=one.offset, limit=one.length)
        if hashlib.sha256(packed).hexdigest() != one.digest:
            raise TrustError(f"a frame of {name} in {reader.place} is damaged", hint="publish that release again")
        return _unpack(packed, one.size)

    def read(digest: str) -> bytes:
        """Return the content with this SHA-256."""
        place = index.places[digest]
        parts, number, offset, left = [], place.frame, place.offset, place.size
        while left:
            part = frame(number)[offset : offset + left]
            parts.append(part)
            number, offset, left = number + 1, 0, left - len(part)
        data = b"".join(parts)
        if hashlib.sha256(data).hexdigest() != digest:
            raise TrustError(f"the content {digest} is not in the packs where the index says")
        return data

    return read


def write_packs(
    built: Built, backend: Backend, *, earlier: Iterable[Release], progress: Progress | None = None
) -> tuple[Blob, ...]:
    """Write a build's index and packs into a channel, and return their blobs, the index first.

    What packs of `earlier` releases have is not packed again, unless the release would need too many packs.
    """
    with source_of_build(built, progress=progress) as source:
        made = packs.make(source, earlier=list(_indexes(backend, earlier)))
        if len(made.packs) > MOST_PACKS:
            made = packs.make(source)
    for pack in made.new:
        put_blob(backend, pack)
    return (put_blob(backend, made.index), *made.packs)


def _indexes(backend: Backend, earlier: Iterable[Release]) -> Iterator[PackIndex]:
    """Yield the indexes of the releases whose packs can be relied on."""
    for release in earlier:
        try:
            if all(is_there(backend, pack) for pack in release.packs):
                yield read_index(release, backend)
                continue
            reason = "a pack is missing or has another length"
        except JeosError as error:
            reason = error.message
        log.warn(f"{release.version} in {backend.place} is damaged, and nothing of it is used: {reason}")


def make_patch(old: Release, built: Built, backend: Backend, *, work: Path, memory: Memory) -> bytes:
    """Return a patch from an earlier release of the channel to a build; one `memory` serves all that are made."""
    with source_of_build(built) as source:
        return delta.make_patch(source_of_release(old, backend, work=work), source, memory=memory)


def check_contents(reader: Reader, release: Release, *, work: Path) -> Iterator[str]:
    """Yield what is wrong with a release's index, packs and patches, whose blobs are whole.

    The slot is written once more in `work` from the index and the packs, and has to have the release's root hash.
    """
    try:
        index = read_index(release, reader)
        if index.packs != release.packs:
            yield "its index names other packs than its description"
        elif (found := _root_hash(release, index, reader, work=work)) != release.root_hash:
            yield f"what its index and packs make has the root hash {found}, not {release.root_hash}"
    except JeosError as error:
        yield f"its index or packs: {error.message}"
    for patch in release.patches:
        try:
            base = _base(fetch(reader, patch.blob))
            if base != patch.root_hash:
                yield f"its patch from {patch.version} is for another system: {base}"
        except JeosError as error:
            yield f"its patch from {patch.version}: {error.message}"


def _root_hash(release: Release, index: PackIndex, reader: Reader, *, work: Path) -> str:
    """Return the root hash of the slot that a release's index and packs make."""
    read, system = reading(index, reader), release.system
    with tempfile.TemporaryFile(dir=work) as slot, tempfile.TemporaryFile(dir=work) as hashes:
        size = erofs.write(
            index.tree,
            slot,
            read=lambda entry: read(entry.digest) if entry.size else b"",
            uuid=system.uuid,
            time=system.time,
            label=system.label,
        )
        slot.seek(0)
        return verity.write_tree(slot, size=size, out=hashes, salt=bytes.fromhex(system.salt), uuid=system.hashes_uuid)


def _base(patch: bytes) -> str:
    """Return the root hash of the system that a patch is for. Raises InputError if it is no patch."""
    opened = container.load(
        container.PATCH, length=len(patch), read=lambda at, length: patch[at : at + length], unpack=_unpack
    )
    base = opened.head.get("base")
    return str(base.get("root_hash")) if isinstance(base, dict) else "none"
