"""A channel's TUF metadata through its backend: what `trust` writes and reads, wherever the files are.

    repository = Repository.open(ChannelFiles(backend), roots=roots)
    client = Client(folder, root=roots[0], fetch=fetcher(reader), now=time.time)

The timestamp is written only over the one that was read, so that of two who publish at once one is told to try again.
"""

import itertools
import json
from collections.abc import Sequence
from urllib.parse import unquote

from jeos.channel import layout
from jeos.channel.backend import CHANGED_HINT, WHAT, Backend
from jeos.core.errors import InputError, NetworkError
from jeos.store.places.place import ChangedFileError, MissingFileError, Reader
from jeos.trust.client import ROOT_LIMIT, Fetch, Missing
from jeos.trust.repository import Repository


class ChannelReader:
    """Files that `trust` only reads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, name: str) -> bytes | None:
        """Return a file, or None if it is not there."""
        try:
            return self._reader.get(name)
        except MissingFileError:
            return None

    def write(self, name: str, data: bytes, *, immutable: bool) -> None:
        """Refuse, since this channel is only looked at."""
        raise InputError(f"{self._reader.place} can only be read", hint="name the folder or the s3:// address")


class ChannelFiles(ChannelReader):
    """Files that `trust` reads and writes; what is replaced must be what was read before."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._backend = backend
        self._tags: dict[str, str] = {}

    def read(self, name: str) -> bytes | None:
        """Return a file, or None if it is not there."""
        if name == layout.TIMESTAMP:
            found = self._backend.stat(name)
            self._tags[name] = found.tag if found else ""
        return super().read(name)

    def write(self, name: str, data: bytes, *, immutable: bool) -> None:
        """Write a file in one step. Raises ChangedFileError if somebody else was there meanwhile."""
        if not immutable:
            self._backend.put(name, data, replaces=self._tags.get(name))
            self._tags.pop(name, None)
        elif not self._backend.put_new(name, data) and self._backend.get(name, limit=len(data) + 1) != data:
            raise ChangedFileError(name, where=f"{WHAT} {self._backend.place}", hint=CHANGED_HINT)


def fetcher(reader: Reader) -> Fetch:
    """Return what gets a channel's files for a TUF client."""

    def fetch(path: str, *, limit: int) -> bytes:
        """Return a file of at most `limit` bytes. Raises Missing, NetworkError."""
        name = unquote(path)
        try:
            data = reader.get(name, limit=limit + 1)
        except MissingFileError as error:
            raise Missing(error.message) from None
        except InputError as error:
            raise Missing(f"{path!r} cannot be in a channel") from error
        if len(data) > limit:
            raise NetworkError(f"{name} in {reader.place} has more than {limit} bytes", hint="somebody replaced it")
        return data

    return fetch


def stored_roots(reader: Reader) -> tuple[bytes, ...]:
    """Return the versions of the root that a channel has; nothing vouches for the first but the channel."""
    found = []
    for version in itertools.count(1):
        try:
            found.append(reader.get(layout.metadata_name("root", version), limit=ROOT_LIMIT))
        except MissingFileError:
            return tuple(found)
    raise AssertionError("unreachable")


def stored_names(reader: Reader) -> set[str]:
    """Return the names of the metadata that a channel's timestamp leads to, without roots; checks no signature."""
    found: set[str] = set()
    left = [layout.TIMESTAMP] if reader.stat(layout.TIMESTAMP) else []
    while left:
        name = left.pop()
        found.add(name)
        for file, meta in json.loads(reader.get(name))["signed"].get("meta", {}).items():
            left.append(layout.metadata_name(file.removesuffix(".json"), meta["version"]))
    return found


def open_repository(backend: Backend, *, roots: Sequence[bytes]) -> Repository:
    """Load the channel's metadata to change it. Raises a TrustError if it is not the vendor's."""
    return Repository.open(ChannelFiles(backend), roots=roots)


def look(reader: Reader, *, roots: Sequence[bytes] = ()) -> Repository:
    """Load the channel's metadata to look at it, expired or not; without `roots` its own are believed.

    Raises InputError if there is no channel, a TrustError if its metadata does not hold.
    """
    own = tuple(roots) or stored_roots(reader)
    if not own or reader.stat(layout.TIMESTAMP) is None:
        raise InputError(f"there is no channel at {reader.place}", hint="`jeos publish --channel DIR` makes one")
    return Repository.open(ChannelReader(reader), roots=own)
