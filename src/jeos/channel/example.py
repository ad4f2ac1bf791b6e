"""A channel of signed descriptions alone, for examples: releases are listed and vouched for, their blobs are nowhere.

    root = write(folder, releases, now=time.time())
    follow("https://updates.example/web", get_from(folder), root=root, …)

The keys are made for it and forgotten when it is signed, so that nobody adds to it later.
"""

from collections.abc import Sequence
from pathlib import Path

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata

from jeos.channel import catalogue, layout
from jeos.channel.catalogue import Terms
from jeos.channel.folder import FolderBackend
from jeos.channel.follow import Get
from jeos.channel.metadata import open_repository
from jeos.model import release as releases
from jeos.model.release import Release
from jeos.store.places.place import MissingFileError
from jeos.trust import root as roots
from jeos.trust.repository import Expiry


def write(folder: Path, listed: Sequence[Release], *, now: float) -> bytes:
    """Write a channel that is signed at a time (s since 1970), and return its root.

    Raises InputError for a release that cannot be described.
    """
    keys = {role: CryptoSigner.generate_ed25519() for role in roots.ROLES}
    metadata = Metadata(roots.first({role: roots.Wanted([key.public_key]) for role, key in keys.items()}, now=now))
    metadata.sign(keys["root"])
    root = roots.encode(metadata)
    repository = open_repository(FolderBackend(folder), roots=[root])
    for release in listed:
        terms = Terms(version=release.version, date=release.date)
        path = layout.release_path(release.name, release.version)
        repository.add_target(path, releases.dump(release), custom=catalogue.custom_of(terms))

    def signers(role: str) -> Sequence[Signer]:
        return [keys[role]]

    repository.commit(signers, now=now, expires=Expiry())
    return root


def get_from(folder: Path) -> Get:
    """Return what gets the files of a channel in a folder, as a request would."""
    backend = FolderBackend(folder)

    def get(name: str, limit: int) -> bytes | None:
        try:
            return backend.get(name, limit=limit)
        except MissingFileError:
            return None

    return get
