"""Find and read the chunks of a vault; any number of threads may."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from jeos.core.errors import StoreError
from jeos.store import codec
from jeos.store.base import DamagedObjectError, MissingObjectError
from jeos.store.codec import CodecError, Form
from jeos.store.places.place import MissingFileError
from jeos.store.vault_errors import VERIFY, DamagedFileError
from jeos.store.vault_files import VaultFiles
from jeos.store.vault_index import Location, Table
from jeos.store.vault_pack import name_of
from jeos.store.vault_seal import SealError

INDEXES = "index/"
CHUNK_LIMIT = 16 << 20  # bytes of a chunk, unpacked
LOOKS = 5  # at the names of indexes, while others change them
GAP = 128 << 10  # bytes that are read in vain rather than asked for a second time
RANGE = 8 << 20  # bytes that one request brings

Asked = tuple[bytes, Location]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The indexes as they were read at one moment, by their names, and those that could not be."""

    tables: dict[str, Table]
    damaged: tuple[DamagedFileError, ...] = ()

    def find(self, chunk_id: bytes) -> Iterator[Location]:
        """Yield all places of a chunk."""
        for table in self.tables.values():
            yield from table.find(chunk_id)


class Chunks:
    """The chunks of a vault, by its indexes; these are read when they are needed first, and again when they are old."""

    def __init__(self, files: VaultFiles) -> None:
        self._files = files
        self._loaded: Loaded | None = None
        self._lock = threading.Lock()

    def loaded(self) -> Loaded:
        """Return the indexes, as they were read last."""
        with self._lock:
            return self._loaded or self._load()

    def reload(self) -> Loaded:
        """Read the indexes that are new, forget those that are gone, and return what there is."""
        with self._lock:
            return self._load()

    def _load(self) -> Loaded:
        """Read the indexes until a look at the names finds no change: others merge them while we read."""
        names = self._files.names(INDEXES)
        for _ in range(LOOKS):
            self._loaded = self._read_indexes(names)
            seen, names = names, self._files.names(INDEXES)
            if names == seen:
                break
        assert self._loaded is not None
        return self._loaded

    def _read_indexes(self, names: list[str]) -> Loaded:
        known = self._loaded.tables if self._loaded else {}
        tables: dict[str, Table] = {}
        damaged = []
        for name in names:
            try:
                tables[name] = known[name] if name in known else Table(self._files.read(name))
            except MissingFileError:  # merged into another since it was listed, which the next look finds
                continue
            except DamagedFileError as error:
                damaged.append(error)
            except ValueError as error:
                damaged.append(DamagedFileError(name, where=self._files.where, reason=str(error)))
        return Loaded(tables=tables, damaged=tuple(damaged))

    def read(self, chunk_id: bytes) -> bytes:
        """Return a chunk, checked. Raises MissingObjectError and DamagedObjectError."""
        try:
            return self._read(chunk_id)
        except (MissingObjectError, DamagedObjectError):  # a pack may have been written anew meanwhile
            self.reload()
            return self._read(chunk_id)

    def read_many(self, chunk_ids: Sequence[bytes]) -> list[bytes]:
        """Return these chunks, checked, in their order; what lies together in a pack is fetched together.

        All of them come into memory: ask for some tens at a time. Raises MissingObjectError and DamagedObjectError.
        """
        found = dict(self.stream(chunk_ids))
        return [found[chunk_id] for chunk_id in chunk_ids]

    def stream(self, chunk_ids: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield these chunks with their ids, checked, each once and as they lie; of the packs one request at a time.

        Raises MissingObjectError and DamagedObjectError.
        """
        left = set(chunk_ids)
        yield from self._stream(left, self.loaded())
        if left:  # a pack may have been written anew meanwhile
            yield from self._stream(left, self.reload())
        for chunk_id in left:
            yield chunk_id, self._read(chunk_id)

    def _stream(self, left: set[bytes], loaded: Loaded) -> Iterator[tuple[bytes, bytes]]:
        """Yield those of the chunks that can be read where they are known to lie first, and take them out of `left`."""
        places = {chunk_id: at for chunk_id in left if (at := next(loaded.find(chunk_id), None))}
        for group in ranges(places.items()):
            for chunk_id, data in self._read_range(group):
                left.discard(chunk_id)
                yield chunk_id, data

    def _read(self, chunk_id: bytes) -> bytes:
        failed: StoreError | None = None
        for at in self.loaded().find(chunk_id):
            try:
                stored = self._files.place.get(name_of(at.pack), offset=at.offset, limit=at.length)
                return self.opened(chunk_id, at, stored)
            except (MissingFileError, DamagedObjectError) as error:
                failed = error if not isinstance(failed, DamagedObjectError) else failed
        if isinstance(failed, DamagedObjectError):
            raise failed
        raise MissingObjectError(chunk_id.hex(), where=f"the vault {self._files.where}", hint=VERIFY)

    def _read_range(self, group: list[Asked]) -> Iterator[tuple[bytes, bytes]]:
        """Yield what can be read of chunks that lie together; the rest is looked for one by one."""
        start = group[0][1].offset
        try:
            stored = memoryview(
                self._files.place.get(name_of(group[0][1].pack), offset=start, limit=group[-1][1].end - start)
            )
        except MissingFileError:
            return
        for chunk_id, at in group:
            try:
                yield chunk_id, self.opened(chunk_id, at, stored[at.offset - start : at.end - start])
            except DamagedObjectError:
                continue

    def opened(self, chunk_id: bytes, at: Location, stored: bytes | memoryview) -> bytes:
        """Return the chunk that these bytes of a pack hold. Raises DamagedObjectError if it is another, or none."""
        return self._opened(chunk_id, at, stored)[1]

    def checked(self, chunk_id: bytes, at: Location, stored: bytes | memoryview) -> codec.Bytes:
        """Return the chunk that these bytes of a pack hold, still packed. Raises as `opened` does."""
        return self._opened(chunk_id, at, stored)[0]

    def _opened(self, chunk_id: bytes, at: Location, stored: bytes | memoryview) -> tuple[codec.Bytes, bytes]:
        try:
            if len(stored) != at.length:
                raise CodecError(f"the pack ends {at.length - len(stored)} bytes too early")
            packed = self._files.seal.open_chunk(at.pack, at.offset, chunk_id, stored)
            data = unpacked(packed, form=at.form)
            if digest(data) != chunk_id:
                raise CodecError("its bytes have another hash")
        except (SealError, CodecError) as error:
            where = f"the vault {self._files.where} ({name_of(at.pack)})"
            raise DamagedObjectError(chunk_id.hex(), where=where, reason=str(error), hint=VERIFY) from None
        return packed, data


def digest(data: bytes | bytearray | memoryview) -> bytes:
    """Return the name of a chunk: the BLAKE3 hash of its bytes."""
    from blake3 import blake3

    return blake3(data).digest()


def unpacked(packed: bytes | bytearray | memoryview, *, form: Form) -> bytes:
    """Return the chunk that was packed in this form. Raises CodecError."""
    return codec.unpack(packed, form=form, limit=CHUNK_LIMIT)


def ranges(asked: Iterable[Asked]) -> Iterator[list[Asked]]:
    """Yield what is to be read in one request each: chunks of one pack, in their order, that lie near each other."""
    ordered = sorted(asked, key=lambda one: (one[1].pack, one[1].offset))
    for _, in_pack in groupby(ordered, key=lambda one: one[1].pack):
        group: list[Asked] = []
        for one in in_pack:
            if group and (one[1].offset - group[-1][1].end > GAP or one[1].end - group[0][1].offset > RANGE):
                yield group
                group = []
            group.append(one)
        yield group
