"""A writer of a vault: chunks go into packs, packs into indexes, and a point comes last.

    with vault.session() as session:
        chunk_id = session.write(data)                        # stored only if the vault does not have it
        session.commit_point("web01/2026-11-28T20-15-03Z-9c1f", document)

A pack is written whole under a new name, then an index that names it, then the point. So a process that is killed
leaves at most packs and indexes that no point needs: the next session uses them, or a collection deletes them.

The indexes say where a chunk may be; which packs there really are, whole, is told by listing them. Only chunks in such
packs count as stored, and none in packs that are about to be deleted (`vault_collect`).
"""

import os
import queue
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from jeos.core import log
from jeos.core.errors import InputError, JeosError, StoreError
from jeos.store import codec, vault_doomed, vault_index, vault_lease
from jeos.store.codec import Form
from jeos.store.places.place import MissingFileError
from jeos.store.vault_chunks import CHUNK_LIMIT, INDEXES, Chunks, Loaded, digest
from jeos.store.vault_errors import DamagedFileError
from jeos.store.vault_files import VaultFiles
from jeos.store.vault_index import Location
from jeos.store.vault_lease import Lease
from jeos.store.vault_pack import PackBuilder, name_of, read_directory
from jeos.store.vault_seal import Bytes
from jeos.store.vault_standing import Standing, standing

POINTS = "points/"
# A machine, and the name of one of its points: what a file may be called everywhere.
_POINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}/[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")

INDEX_RECORDS = 1 << 16  # chunks after which an index is written: what a killed backup loses at most is 4 GiB of work


class Session:
    """One writer; any number of threads may call `write`."""

    def __init__(self, files: VaultFiles, chunks: Chunks, lease: Lease, *, level: int) -> None:
        self.new_bytes = 0  # stored, as they lie in packs
        self.new_chunks = 0
        self._level = level
        self._files = files
        self._chunks = chunks
        self._lease = lease
        self._doomed = vault_doomed.packs(files, lease.seen)
        self._loaded: Loaded = chunks.reload()
        self._standing: Standing = standing(files, self._loaded)
        self._lock = threading.Lock()
        self._mine: dict[bytes, Location] = {}  # in no index yet
        self._own: list[vault_index.Table] = []  # indexes that this session wrote
        self._pack = PackBuilder(files.seal)
        self._adopt()
        self._uploader = _Uploader(files)

    def name(self, data: Bytes) -> bytes:
        """Return the id of a chunk without storing it."""
        return digest(data)

    def has(self, chunk_id: bytes) -> bool:
        """Tell whether a chunk is stored, and stays at least until this session ends."""
        with self._lock:
            return self._has(chunk_id)

    def holds(self, chunk_ids: Iterable[bytes]) -> bool:
        """Tell whether all these chunks stay until this session ends; they are those of a point that is there now.

        That goes without looking unless packs are doomed at this moment, or damaged: ask it before chunks of an
        earlier point are named in a new one without being written again. The point must have been there after this
        session was opened.
        """
        if not self._doomed and not self._standing.wrong and not self._loaded.damaged:
            return True
        return all(self.has(chunk_id) for chunk_id in chunk_ids)

    def write(self, data: Bytes) -> bytes:
        """Store a chunk, if the vault does not have it, and return its id. Raises what the place does if it fails."""
        chunk_id = digest(data)
        if not self.has(chunk_id):
            if len(data) > CHUNK_LIMIT:
                raise StoreError(f"a chunk of {len(data)} bytes is too long", hint="this is a fault in jeos: report it")
            form, packed = codec.pack(data, level=self._level)
            self.write_packed(chunk_id, packed, form=form)
        return chunk_id

    def write_packed(self, chunk_id: bytes, packed: Bytes, *, form: Form) -> None:
        """Store a chunk that is packed already, whether the vault has it or not, unless this session did."""
        with self._lock:
            if chunk_id in self._mine or any(True for table in self._own for _ in table.find(chunk_id)):
                return  # another thread was faster
            self.new_bytes += self._pack.add(chunk_id, packed, form=form)
            self.new_chunks += 1
            self._mine[chunk_id] = self._pack.entries[-1][1]
            if self._pack.full():
                self._close_pack()
                if len(self._mine) >= INDEX_RECORDS:
                    self._write_index()

    def flush(self) -> None:
        """Write what is in memory, and the index of it."""
        with self._lock:
            self._close_pack()
            self._write_index()

    def commit_point(self, name: str, document: bytes) -> None:
        """Store all that was written, then the point: it is there whole, with all that it needs, or not at all.

        Raises BrokenLeaseError if others took this process for dead: then the point is not there.
        """
        check_point(name)
        self.flush()
        self._lease.check()
        if not self._files.write_new(f"{POINTS}{name}", document):
            raise StoreError(f"there is a point {name} in {self._files.where} already", hint="take another name")
        try:
            self._lease.check()
        except StoreError:
            self._files.delete(f"{POINTS}{name}")
            raise
        try:
            self._files.publish()
        except JeosError as error:  # the point is there all the same
            log.warn(f"the catalogue for web servers was not written: {error.message}")

    def close(self) -> None:
        """Stop the thread that writes packs; what is in memory is lost."""
        self._uploader.close()

    def _adopt(self) -> None:
        """Count what lies in packs that no index names: a killed writer's, so that its work is not done again."""
        for pack in self._standing.unknown - self._doomed:
            try:
                entries = read_directory(
                    self._files.place, pack, size=self._standing.sizes[pack], seal=self._files.seal
                )
            except (DamagedFileError, MissingFileError):  # verification finds it
                continue
            self._mine.update(entries)

    def _has(self, chunk_id: bytes) -> bool:
        if chunk_id in self._mine:
            return True
        if any(True for table in self._own for _ in table.find(chunk_id)):
            return True
        return any(at.pack not in self._doomed and self._standing.whole(at) for at in self._loaded.find(chunk_id))

    def _close_pack(self) -> None:
        if self._pack.entries:
            self._uploader.put(self._pack)
            self._pack = PackBuilder(self._files.seal, buffer=self._uploader.spare())

    def _write_index(self) -> None:
        self._uploader.wait()
        if not self._mine:
            return
        table = vault_index.make(self._mine.items())
        if not self._files.write_new(f"{INDEXES}{os.urandom(12).hex()}", bytes(table.records)):
            raise AssertionError("a random name was taken")
        self._own.append(table)
        self._mine = {}


def check_point(name: str) -> str:
    """Return the name of a point, MACHINE/TIME-ID, if it is one. Raises InputError."""
    if not _POINT.fullmatch(name):
        raise InputError(f"{name!r} is no name of a backup point", hint="`jeos backup list` shows those that are there")
    return name


@contextmanager
def opened(files: VaultFiles, chunks: Chunks, *, level: int) -> Iterator[Session]:
    """Open a session for the block that packs at this level of zstd.

    After an error what was stored so far is indexed, so that it is not sent twice.
    """
    with vault_lease.held(files) as lease:
        session = Session(files, chunks, lease, level=level)
        try:
            yield session
            session.flush()
        except BaseException:
            with suppress(JeosError, OSError):
                session.flush()
            raise
        finally:
            session.close()


class _Uploader:
    """Writes packs behind the back of those who fill them; one is written while the next is filled, no more."""

    def __init__(self, files: VaultFiles) -> None:
        self._files = files
        self._waiting: queue.Queue[PackBuilder | None] = queue.Queue(maxsize=1)
        self._failed: BaseException | None = None
        self._spare: bytearray | None = None
        self._thread = threading.Thread(target=self._run, name="packs", daemon=True)
        self._thread.start()

    def put(self, pack: PackBuilder) -> None:
        """Let a pack be written. Raises the error of one before it that could not be."""
        self.wait()
        self._waiting.put(pack)

    def spare(self) -> bytearray | None:
        """Return the buffer of a pack that is written: the kernel need not clear memory for the next one."""
        spare, self._spare = self._spare, None
        return spare

    def wait(self) -> None:
        """Wait until all are written. Raises the error if one could not be."""
        self._waiting.join()
        self._raise()

    def close(self) -> None:
        """End the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _raise(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        while (pack := self._waiting.get()) is not None:
            try:
                if self._failed is None:
                    with pack.finish() as content:
                        if not self._files.writer().put_new(name_of(pack.pack), content):
                            raise AssertionError("a random name was taken")
                    self._spare = pack.buffer
            except BaseException as error:
                self._failed = error
            finally:
                del pack
                self._waiting.task_done()
