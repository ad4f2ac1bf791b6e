"""A vault: where backups are kept. Chunks in packs, and points that name the chunks that they need.

    vault = Vault.open(open_place("s3://bucket/backups"), secret=ask)
    with vault.session() as session:
        chunk_id = session.write(data)
        session.commit_point("web01/2026-11-28T20-15-03Z-9c1f", document)
    vault.read(chunk_id)

What a point's document says is not the vault's business: `backup/` knows which chunks it names. Whether a vault
encrypts is decided when it is made. `docs/reference/vault.md` describes every file, for those who write a reader.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from jeos.core.errors import StoreError, TrustError, UsageError
from jeos.store import codec, vault_keys, vault_session
from jeos.store.places.folder import FolderPlace
from jeos.store.places.place import MissingFileError, Place, Reader
from jeos.store.vault_chunks import Chunks
from jeos.store.vault_errors import DamagedFileError, ReadOnlyVaultError
from jeos.store.vault_files import VaultFiles
from jeos.store.vault_seal import KeyedSeal, PlainSeal, Seal
from jeos.store.vault_session import POINTS, Session, check_point

FORMAT = "jeos-vault-1"
HEADER = "vault.json"
CHECKED = "checked/"
HEADER_LIMIT = 1 << 16  # bytes
TRIES = 3  # of a passphrase that is typed

Secret = Callable[[int], str | None]  # how many were wrong already -> a passphrase or recovery key, None for: no more

# Tells which chunks a point needs; `backup/point.py` knows. What cannot be read is an error of the store.
Needs = Callable[["Vault", str], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Header:
    """What `vault.json` says: the vault's number, and the fingerprint of its master key where it encrypts."""

    number: str
    key: str


class Vault:
    """A vault at a place; any number of threads may read."""

    def __init__(self, place: Reader, header: Header, seal: Seal, *, master: bytes | None = None) -> None:
        self.place = place
        self.id = header.number
        self.files = VaultFiles(place=place, seal=seal)
        self.chunks = Chunks(self.files)
        self.master = master

    @property
    def encrypted(self) -> bool:
        """Tell whether all that is stored is encrypted."""
        return self.files.seal.encrypts

    @property
    def where(self) -> str:
        """Return where the vault is, for messages."""
        return self.place.place

    @classmethod
    def create(cls, place: Reader, *, passphrase: str | None = None, master: bytes | None = None) -> "Vault":
        """Make a vault where there is none; with a passphrase, one that encrypts (with a new key, or this `master`).

        Raises UsageError if there is one already.
        """
        if not isinstance(place, Place):
            raise ReadOnlyVaultError(place.place)
        if place.stat(HEADER) is not None:
            raise UsageError(f"there is a vault at {place.place} already", hint="use it, or name another place")
        if isinstance(place, FolderPlace):
            # Disks hold their users' secrets. Whoever lets a web server read the folder opens it by hand.
            place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, key = os.urandom(16).hex(), ""
        if passphrase is not None:
            master = master or vault_keys.new_master()
            key = vault_keys.fingerprint(master)
            # Before the header, so that there is never a vault that nobody can open.
            vault_keys.add(place, master, passphrase, note="first", created=now())
        content = {"format": FORMAT, "id": number, "encryption": "aes-256-gcm" if key else "none", "key": key}
        if not place.put_new(HEADER, (json.dumps(content, indent=2) + "\n").encode()):
            raise UsageError(f"somebody else has just made a vault at {place.place}", hint="use that one")
        return cls(place, Header(number, key), KeyedSeal(master) if key and master else PlainSeal(), master=master)

    @classmethod
    def open(cls, place: Reader, *, secret: Secret | str | None = None) -> "Vault":
        """Open the vault at a place; `secret` is, or is asked for, a passphrase or the recovery key.

        Raises UsageError if there is no vault, TrustError if the secret does not open it.
        """
        header = read_header(place)
        if not header.key:
            return cls(place, header, PlainSeal())
        master = _unlock(place, _asker(secret))
        return cls(place, header, vault_keys.seal_of(master, expected=header.key, where=place.place), master=master)

    def session(self, *, level: int = codec.LEVEL) -> AbstractContextManager[Session]:
        """Open a writer, which spares what it writes or finds from being deleted for as long as it lives.

        `level` is how hard zstd packs what it writes.
        """
        return vault_session.opened(self.files, self.chunks, level=level)

    def read(self, chunk_id: bytes) -> bytes:
        """Return a chunk, checked. Raises MissingObjectError and DamagedObjectError."""
        return self.chunks.read(chunk_id)

    def read_many(self, chunk_ids: Sequence[bytes]) -> list[bytes]:
        """Return chunks, checked, in this order, with few requests: some tens, as all of them come into memory."""
        return self.chunks.read_many(chunk_ids)

    def stream(self, chunk_ids: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield these chunks with their ids, checked, each once and as they lie in the packs."""
        return self.chunks.stream(chunk_ids)

    def has(self, chunk_id: bytes) -> bool:
        """Tell whether the indexes know a chunk."""
        return any(True for _ in self.chunks.loaded().find(chunk_id))

    def points(self) -> list[str]:
        """Return the names of all points, in order."""
        return [name.removeprefix(POINTS) for name in self.files.names(POINTS)]

    def read_point(self, name: str) -> bytes:
        """Return a point's document, checked. Raises UsageError if there is no such point, DamagedFileError."""
        try:
            return self.files.read(f"{POINTS}{check_point(name)}")
        except MissingFileError:
            raise UsageError(
                f"there is no point {name} in {self.where}", hint="`jeos backup list` shows those that are there"
            ) from None

    def delete_point(self, name: str) -> None:
        """Delete a point; its chunks stay until they are collected. Nothing happens if it is not there."""
        self.files.delete(f"{POINTS}{check_point(name)}")
        self.files.delete(f"{CHECKED}{name}")
        self.files.publish()

    def note_checked(self, name: str, note: bytes) -> None:
        """Keep what a verification said about a point, in place of what one before it said."""
        self.files.write(f"{CHECKED}{check_point(name)}", note)

    def checked(self, name: str) -> bytes | None:
        """Return what the last verification said about a point, if there was one."""
        try:
            return self.files.read(f"{CHECKED}{check_point(name)}")
        except (MissingFileError, DamagedFileError):
            return None


def exists(place: Reader) -> bool:
    """Tell whether there is a vault at a place."""
    return place.stat(HEADER) is not None


def read_header(place: Reader) -> Header:
    """Return what a vault says of itself. Raises UsageError if there is none, StoreError for a newer format."""
    try:
        content = json.loads(place.get(HEADER, limit=HEADER_LIMIT))
        named, number, encryption = (str(content[word]) for word in ("format", "id", "encryption"))
        key = str(content["key"]) if encryption != "none" else ""
    except MissingFileError:
        raise UsageError(
            f"there are no backups at {place.place}",
            hint="`jeos backup init` makes a vault there, or --store names one",
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedFileError(HEADER, where=place.place, reason="it is no vault's header") from None
    if named != FORMAT or encryption not in ("none", "aes-256-gcm"):
        raise StoreError(
            f"the vault {place.place} has the format {named} with {encryption}, which this jeos does not know",
            hint="install a newer jeos",
        )
    return Header(number=number, key=key)


def now() -> str:
    """Return the time as it is written into files: 2026-11-28T20:15:03Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _asker(secret: Secret | str | None) -> Secret:
    if callable(secret):
        return secret
    return lambda wrong: secret if not wrong else None


def _unlock(place: Reader, secret: Secret) -> bytes:
    sealed = [vault_keys.read(place, name) for name in vault_keys.names(place)]
    for wrong in range(TRIES):
        given = secret(wrong)
        if given is None:
            break
        master = vault_keys.unlock(sealed, given)
        if master is not None:
            return master
    raise TrustError(
        f"the vault {place.place} is encrypted, and no passphrase opened it",
        hint="set JEOS_PASSPHRASE, use --passphrase-fd, or give the recovery key in its place",
    )
