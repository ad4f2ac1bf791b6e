"""Stores made of stores: a cache in front of a slow one, a chain, and one that nobody can write to.

store = CachedStore(ChainStore(local, site, vendor), cache=MemoryStore())
"""

from collections.abc import Iterator

from jeos.core.errors import StoreError
from jeos.store.base import DamagedObjectError, Deletes, MissingObjectError, Store


class CachedStore:
    """A store whose objects are kept in a faster one once they were read. What is damaged in the cache is replaced."""

    def __init__(self, source: Store, *, cache: Deletes) -> None:
        self.source = source
        self.cache = cache

    def has(self, digest: str) -> bool:
        """Tell whether the source has an object; the cache alone does not count, for it may be emptied at any time."""
        return self.source.has(digest)

    def read(self, digest: str) -> bytes:
        """Return an object's bytes, from the cache if it has them."""
        try:
            return self.cache.read(digest)
        except MissingObjectError:
            pass
        except DamagedObjectError:
            self.cache.delete(digest)
        data = self.source.read(digest)
        self.cache.write(data)
        return data

    def write(self, data: bytes) -> str:
        """Keep the bytes in the source; the cache gets them when they are read."""
        return self.source.write(data)

    def digests(self) -> Iterator[str]:
        """Yield the digest of each object of the source."""
        return self.source.digests()


class ChainStore:
    """Several stores asked one after the other; new objects go to the first."""

    def __init__(self, first: Store, *others: Store) -> None:
        self.stores = (first, *others)

    def has(self, digest: str) -> bool:
        """Tell whether any of the stores has an object."""
        return any(store.has(digest) for store in self.stores)

    def read(self, digest: str) -> bytes:
        """Return an object's bytes from the first store that has them undamaged."""
        damaged: DamagedObjectError | None = None
        for store in self.stores:
            try:
                return store.read(digest)
            except MissingObjectError:
                continue
            except DamagedObjectError as error:
                damaged = damaged or error
        raise damaged or MissingObjectError(digest, where=f"any of {len(self.stores)} stores")

    def write(self, data: bytes) -> str:
        """Keep the bytes in the first store."""
        return self.stores[0].write(data)

    def digests(self) -> Iterator[str]:
        """Yield the digest of each object once."""
        seen: set[str] = set()
        for store in self.stores:
            for digest in store.digests():
                if digest not in seen:
                    seen.add(digest)
                    yield digest


class ReadOnlyStore:
    """A store that refuses to be written to."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def has(self, digest: str) -> bool:
        """Tell whether an object is there."""
        return self.store.has(digest)

    def read(self, digest: str) -> bytes:
        """Return an object's bytes, checked."""
        return self.store.read(digest)

    def write(self, data: bytes) -> str:
        """Raise StoreError: nothing can be written here."""
        raise StoreError(
            f"{self.store!r} may only be read, so {len(data)} bytes were not kept", hint="write to another store"
        )

    def digests(self) -> Iterator[str]:
        """Yield the digest of each object."""
        return self.store.digests()
