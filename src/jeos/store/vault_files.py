"""The files of a vault: documents that are sealed, and the names of what there is.

vault.json               what it is: format, number, whether it is encrypted
keys/ID.json             the master key, sealed with a passphrase; one for each passphrase
packs/9c/9c1f…           chunks
index/ID                 where chunks lie
points/MACHINE/TIME-ID   backup points
leases/ID, broken/ID     who is writing, and who was taken for dead
doomed/ID                packs that are about to be deleted
checked/MACHINE/TIME-ID  when a point was verified last, and with what result
catalogue                the names of indexes and points, for readers that cannot list (a web server)
"""

from dataclasses import dataclass

from jeos.core.errors import StoreError
from jeos.store.places.place import Found, MissingFileError, Place, Reader
from jeos.store.vault_errors import DamagedFileError, ReadOnlyVaultError
from jeos.store.vault_seal import Seal, SealError

CATALOGUE = "catalogue"
LISTED = ("index/", "points/")  # what the catalogue names
ATTEMPTS = 10  # writes of the catalogue while others write theirs
DOCUMENT_LIMIT = 1 << 30  # bytes; indexes are the largest, 52 bytes a chunk


@dataclass(frozen=True, slots=True)
class VaultFiles:
    """The files at a place, sealed by `seal`."""

    place: Reader
    seal: Seal

    @property
    def where(self) -> str:
        """Return where the vault is, for messages."""
        return self.place.place

    def writer(self) -> Place:
        """Return the place to write to. Raises ReadOnlyVaultError if it can only be read."""
        if isinstance(self.place, Place):
            return self.place
        raise ReadOnlyVaultError(self.where)

    def read(self, name: str) -> bytes:
        """Return a document. Raises MissingFileError and DamagedFileError."""
        data = self.place.get(name, limit=DOCUMENT_LIMIT)
        try:
            return self.seal.open(name, data)
        except SealError as error:
            raise DamagedFileError(name, where=self.where, reason=str(error)) from None

    def write_new(self, name: str, document: bytes) -> bool:
        """Write a document under a name that is not taken; return False if it is."""
        return self.writer().put_new(name, self.seal.close(name, document))

    def write(self, name: str, document: bytes) -> None:
        """Write a document in place of what was there."""
        self.writer().put(name, self.seal.close(name, document))

    def delete(self, name: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        self.writer().delete(name)

    def found(self, prefix: str) -> list[Found]:
        """Return the files below a folder such as "packs/"."""
        return sorted(self.writer().list(prefix), key=lambda found: found.name)

    def names(self, prefix: str) -> list[str]:
        """Return the names of the files below "index/" or "points/", also where files cannot be listed."""
        if isinstance(self.place, Place):
            return sorted(found.name for found in self.place.list(prefix))
        try:
            listed = self.read(CATALOGUE).decode().splitlines()
        except MissingFileError:
            return []
        return sorted(name for name in listed if name.startswith(prefix))

    def publish(self) -> None:
        """Write the catalogue. Whoever writes it last has looked again after writing, so that it ends up complete."""
        written = None
        for _ in range(ATTEMPTS):
            listed = "".join(f"{found.name}\n" for prefix in LISTED for found in self.found(prefix))
            if listed == written:
                return
            self.write(CATALOGUE, listed.encode())
            written = listed
        raise StoreError(
            f"the catalogue of {self.where} could not be written: too many write there at once",
            hint="the point is kept all the same; the next backup writes it again",
        )
