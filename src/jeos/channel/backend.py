"""Where a channel's files are kept: a folder, or an S3 bucket; both are used through the same few calls.

    backend = open_backend("s3://bucket/hello")
    backend.put_new("data/9c/9c1f…", path)           # False: it was there already
    with backend.lock():
        backend.put("metadata/timestamp.json", data, replaces=found.tag)

A file appears whole or not at all. Names are paths with "/" between their parts, relative to the channel.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from jeos.core.errors import StoreError, UsageError
from jeos.store.places.place import Place, Reader

# How places speak of what they keep.
WHAT = "the channel"
MISSING_HINT = "`jeos channel verify` tells whether more is missing"
CHANGED_HINT = "nothing was published; run the command again"


class BusyChannelError(StoreError):
    """Somebody else is changing the channel."""

    def __init__(self, where: str, *, holder: str) -> None:
        super().__init__(
            f"the channel {where} is being changed by {holder}", hint="wait until that has ended, then try again"
        )


class Backend(Place, Protocol):
    """What keeps a channel's files: a place, and a lock on it."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep all others from changing the channel during the block. Raises BusyChannelError if somebody does."""
        ...


def open_backend(address: str, *, create: bool = False) -> Backend:
    """Return the backend for a folder, or for "s3://BUCKET/PREFIX".

    Raises UsageError if the address is of another kind, or names no channel and `create` is false.
    """
    if address.startswith("s3://"):
        from jeos.channel.objects import ObjectBackend  # loads 16 MB that channels in folders do not need

        return ObjectBackend(address)
    if "://" in address:
        raise UsageError(
            f"a channel cannot be changed at {address}",
            hint="name the folder or the s3:// address that is served there",
        )
    from jeos.channel.folder import FolderBackend

    folder = Path(address)
    if not create and not folder.is_dir():
        raise UsageError(f"there is no channel at {folder}", hint="`jeos publish --channel DIR` makes one")
    return FolderBackend(folder)


def open_reader(address: str) -> Reader:
    """Return what reads the channel at an address: a folder, s3://…, or http(s)://… as everybody sees it."""
    if address.startswith(("http://", "https://")):
        from jeos.channel.web import WebReader

        return WebReader(address)
    return open_backend(address)
