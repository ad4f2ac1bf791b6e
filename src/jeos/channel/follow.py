"""Follow a channel from elsewhere, as a catalogue does: what the vendor's keys vouch for, whatever the server says.

    found = follow(address, get, root=root, folder=kept, now=time.time(), known={"1.0": digest})
    found.releases, found.keys, found.expires

It is the client that machines use, from the root that was given first; its folder keeps what was trusted, so that an
older state is not believed later. Blobs are not read: that a release can be fetched whole is what `verify` is for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jeos.channel import catalogue, layout, metadata
from jeos.channel.backend import MISSING_HINT, WHAT
from jeos.channel.catalogue import Terms
from jeos.model.release import Release
from jeos.model.version import sort_key
from jeos.store.places.place import GET_LIMIT, Found, MissingFileError, check_name
from jeos.trust.client import Client, Target

MOST = 200  # releases that are read in one go, the newest first
Get = Callable[[str, int], bytes | None]


@dataclass(frozen=True, slots=True)
class Signers:
    """Who signs for a role: so many (`threshold`) of these keys must."""

    role: str
    ids: tuple[str, ...]
    scheme: str
    threshold: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A release as the channel lists it; `release` is None if it was known already, by its digest."""

    version: str
    sha256: str
    terms: Terms
    release: Release | None


@dataclass(frozen=True, slots=True)
class Followed:
    """What the vendor's keys vouch for: until `expires` (seconds since 1970), in the version `root` of the keys."""

    releases: tuple[Seen, ...]
    keys: tuple[Signers, ...]
    expires: float
    root: int


class _Files:
    """A channel's files through a function that gets one whole."""

    def __init__(self, place: str, get: Get) -> None:
        self.place, self._get = place, get

    def stat(self, name: str) -> Found | None:
        """Return what is known of a file, or None if it is not there."""
        data = self._get(check_name(name), GET_LIMIT)
        return None if data is None else Found(name=name, size=len(data), modified=0.0, tag="")

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        """Return the beginning of a file. Raises MissingFileError."""
        assert not offset, "descriptions and metadata are read whole"
        data = self._get(check_name(name), limit)
        if data is None:
            raise MissingFileError(name, where=f"{WHAT} {self.place}", hint=MISSING_HINT)
        return data


def follow(
    place: str, get: Get, *, root: bytes, folder: Path, now: float, known: Mapping[str, str], most: int = MOST
) -> Followed:
    """Return what the channel at a place offers, the newest first; `known` are digests of descriptions by version.

    `get` returns a file of at most so many bytes by its name, or None if it is not there.

    Raises a TrustError if it is not signed by the root's keys or is outdated, NetworkError if it cannot be read, and
    InputError if what is signed makes no sense.
    """
    reader = _Files(place, get)
    client = Client(str(folder), root=root, fetch=metadata.fetcher(reader), now=lambda: now)
    client.refresh()
    targets = {named[1]: target for path, target in client.targets().items() if (named := layout.release_of(path))}
    newest = sorted(targets, key=sort_key, reverse=True)[:most]
    releases = tuple(_seen(reader, targets[version], version, known=known) for version in newest)
    trusted = client.root()
    return Followed(
        releases=releases,
        keys=tuple(
            Signers(
                role=name,
                ids=tuple(sorted(role.keyids)),
                scheme=", ".join(sorted({trusted.keys[key].scheme for key in role.keyids if key in trusted.keys})),
                threshold=role.threshold,
            )
            for name, role in trusted.roles.items()
        ),
        expires=client.expires(),
        root=trusted.version,
    )


def _seen(reader: _Files, target: Target, version: str, *, known: Mapping[str, str]) -> Seen:
    """Return one release; its description is read only if it is not known."""
    if known.get(version) == target.sha256:
        return Seen(version, target.sha256, catalogue.terms_of(target.custom), None)
    listed = catalogue.read(reader, target)
    return Seen(version, target.sha256, listed.terms, listed.release)
