"""Move chunks into new packs: out of packs that are mostly waste, doomed or damaged, or out of another vault."""

from collections.abc import Iterable

from jeos.store.base import DamagedObjectError, MissingObjectError
from jeos.store.places.place import MissingFileError
from jeos.store.vault import Vault
from jeos.store.vault_chunks import Asked, ranges
from jeos.store.vault_pack import name_of
from jeos.store.vault_session import Session


def rewrite(source: Vault, session: Session, asked: Iterable[Asked]) -> None:
    """Store these chunks of `source` through a session, packed as they are, after checking each.

    Whether the session's vault has them already is not asked. Raises MissingObjectError and DamagedObjectError.
    """
    for group in ranges(asked):
        first = group[0][1]
        try:
            data = source.place.get(name_of(first.pack), offset=first.offset, limit=group[-1][1].end - first.offset)
        except MissingFileError:  # another collection has just deleted it, and has moved what is needed
            data = b""
        stored = memoryview(data)
        for chunk_id, at in group:
            part = stored[at.offset - first.offset : at.end - first.offset]
            try:
                packed = source.chunks.checked(chunk_id, at, part)
            except DamagedObjectError:
                session.write(source.read(chunk_id))  # from another pack, if there is one
                continue
            session.write_packed(chunk_id, packed, form=at.form)


def can_read(vault: Vault, chunk_id: bytes) -> bool:
    """Tell whether a chunk comes out of a vault as it was."""
    try:
        vault.read(chunk_id)
    except (MissingObjectError, DamagedObjectError):
        return False
    return True
