"""Read a whole channel again as a stranger would, and say what is wrong with it.

    found = verify(reader, root=root, folder=work, now=time.time())
    for problem in found.problems: …

The metadata goes through the client that machines use, from the vendor's root on; every file that a release needs is
read to its last byte; and each slot is written once more, from index and packs. Nothing is changed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jeos.channel import catalogue, layout, metadata, whole
from jeos.channel.catalogue import Listed
from jeos.channel.contents import check_contents
from jeos.core import log
from jeos.core.errors import InputError, JeosError
from jeos.model.release import Blob
from jeos.store.places.place import Found, MissingFileError, Reader
from jeos.trust.client import Client, Target
from jeos.trust.errors import ExpiredError

PIECE = 8 << 20  # bytes read at once
SOON = 7 * 86400.0  # seconds: what ends within this time is told of


class Lists(Protocol):
    """What can tell of all files that are there: backends can, web servers cannot."""

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield all files whose names start with `prefix`."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: with which file or release, and what."""

    what: str
    detail: str


@dataclass
class Verified:
    """What was found: `files` and bytes (`size`) that were read and right; `expires` in seconds since 1970."""

    releases: int = 0
    files: int = 0
    size: int = 0
    expires: float = 0.0
    problems: list[Problem] = field(default_factory=list)

    def add(self, what: str, error: JeosError | str) -> None:
        """Note a problem."""
        self.problems.append(Problem(what, error if isinstance(error, str) else error.message))


def verify(reader: Reader, *, root: bytes, folder: Path, now: float) -> Verified:
    """Return what is wrong with a channel, if anything; `root` is where trust starts, `folder` an empty one to work in.

    Raises InputError if there is no channel, and NetworkError if it cannot be reached.
    """
    found = Verified()
    if reader.stat(layout.TIMESTAMP) is None:
        raise InputError(f"there is no channel at {reader.place}", hint="`jeos publish --channel DIR` makes one")
    with log.step("metadata") as step:
        believed = _targets(reader, found, root=root, folder=folder, now=now)
        targets = believed or {}
        step.done(f"{len(targets)} targets")
    with log.step("releases") as step:
        listed = list(_releases(reader, targets, found))
        step.done(f"{len(listed)} releases")
    with log.step("files") as step:
        blobs = {blob.sha256: blob for one in listed for blob in one.release.blobs}
        good = set()
        for number, blob in enumerate(blobs.values()):
            step.update(f"{number} of {len(blobs)}")
            if _check_blob(reader, blob, found):
                good.add(blob.sha256)
        step.done(f"{len(good)} of {len(blobs)} whole")
    with log.step("contents") as step:
        for one in listed:
            step.update(one.version)
            _check_contents(reader, one, found, good=good, work=folder)
        step.done("")
    _check_sums(reader, listed if believed is not None and len(listed) == len(targets) else None, found)
    return found


def _targets(reader: Reader, found: Verified, *, root: bytes, folder: Path, now: float) -> dict[str, Target] | None:
    """Return the targets as a machine sees them, or None if it would not believe them; note why it would refuse.

    Outdated ones are looked at all the same.
    """
    client = Client(str(folder), root=root, fetch=metadata.fetcher(reader), now=lambda: now)
    try:
        client.refresh()
    except ExpiredError as error:
        found.add("metadata", error)
        try:
            return dict(metadata.look(reader, roots=metadata.stored_roots(reader)).targets())
        except JeosError as worse:
            found.add("metadata", worse)
            return None
    except JeosError as error:
        found.add("metadata", error)
        return None
    end = metadata.look(reader, roots=metadata.stored_roots(reader)).timestamp_expires() or 0.0
    found.expires = end
    if end < now + SOON:
        found.add(
            "metadata", f"it is fresh for {max(0.0, end - now) / 86400:.1f} more days: run `jeos channel refresh`"
        )
    return dict(client.targets())


def _releases(reader: Reader, targets: dict[str, Target], found: Verified) -> Iterator[Listed]:
    """Yield the releases that can be read, and note what is wrong with the others."""
    names = set()
    for path, target in sorted(targets.items()):
        if not path.startswith(layout.RELEASES):
            found.add(path, "this target is no release")
            continue
        try:
            one = catalogue.read(reader, target)
        except JeosError as error:
            found.add(path, error)
            continue
        names.add(one.release.name)
        found.releases += 1
        found.files += 1
        found.size += target.length
        yield one
    if len(names) > 1:
        found.add("releases", f"they are of different appliances: {', '.join(sorted(names))}")


def _check_blob(reader: Reader, blob: Blob, found: Verified) -> bool:
    name = layout.blob_name(blob.sha256)
    try:
        digest, length = _read(reader, name, limit=blob.length + 1)
    except JeosError as error:
        found.add(name, error)
        return False
    if length != blob.length:
        found.add(name, f"it has {'more than' if length > blob.length else f'{length} bytes of'} {blob.length} bytes")
        return False
    if digest != blob.sha256:
        found.add(name, f"its SHA-256 is {digest}")
        return False
    found.files += 1
    found.size += length
    return True


def _read(reader: Reader, name: str, *, limit: int) -> tuple[str, int]:
    """Return the digest of a file and its length, of which at most `limit` bytes are read."""
    digest, length = hashlib.sha256(), 0
    while length < limit:
        piece = reader.get(name, offset=length, limit=min(PIECE, limit - length))
        digest.update(piece)
        length += len(piece)
        if len(piece) < PIECE:
            break
    return digest.hexdigest(), length


def _check_contents(reader: Reader, one: Listed, found: Verified, *, good: set[str], work: Path) -> None:
    """Hold index, packs and patches of a release against each other, if they are whole themselves."""
    title = f"{one.release.name} {one.version}"
    if not {blob.sha256 for blob in one.release.blobs} <= good:
        return  # told already
    for problem in check_contents(reader, one.release, work=work):
        found.add(title, problem)


def _check_sums(reader: Reader, listed: Iterable[Listed] | None, found: Verified) -> None:
    """Read what systemd-sysupdate would, if the channel has it; `listed` is None if not all releases are known."""
    try:
        text = reader.get(layout.SUMS)
    except MissingFileError:
        return
    try:
        sums = whole.read_sums(text.decode(errors="replace"))
    except InputError as error:
        found.add(layout.SUMS, error)
        return
    known = {
        name
        for one in listed or ()
        if one.terms.for_all
        for name in whole.names(one.release.name, one.version, root_hash=one.release.root_hash)
    }
    with log.step("images") as step:
        for name, wanted in sums.items():
            step.update(name)
            if listed is not None and name not in known:
                found.add(layout.SUMS, f"it lists {name}, which belongs to no release that everybody may have")
            try:
                digest, length = _read(reader, name, limit=1 << 40)
            except JeosError as error:
                found.add(name, error)
                continue
            if digest != wanted:
                found.add(name, f"its SHA-256 is {digest}, and {layout.SUMS} says {wanted}")
                continue
            found.files += 1
            found.size += length
        step.done(f"{len(sums)} files")
