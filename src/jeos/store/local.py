"""A store in a folder: one file per object, for many processes at once. docs/reference/store.md tells the layout.

    store = LocalStore(folder)
    digest = store.add(Path("nginx.deb"), expected=package.sha256)
    run(["dpkg-deb", "--info", store.path(digest)])

A file gets an object's name only when all its bytes are there, checked and (if `durable`) on the disk. A file's time
says when it was last wanted; `discard` goes by it.
"""

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from jeos.core import files
from jeos.core.errors import StoreError
from jeos.store import codec, leases, object_file
from jeos.store.base import (
    READ_LIMIT,
    DamagedObjectError,
    MissingObjectError,
    as_expected,
    digest_of,
    object_name,
)
from jeos.store.codec import Form
from jeos.store.object_file import PIECE, ObjectFile

FORMAT = "jeos store 1\n"  # what the file `format` holds
DOOMED = "doomed-"  # how the name of a file starts that `discard` decides about
READ_ONLY = 0o444  # objects never change; this stops a careless program, not a determined one


class LocalStore:
    """Objects in a folder. Safe for any number of threads and processes beside each other and garbage collection.

    `durable` flushes each object to disk before it gets its name. Who writes very many objects can do without and
    call `flush` before naming them in a root.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.durable = durable
        self.objects = folder / "objects"
        self.partial = folder / "partial"
        self.leases = folder / "leases"
        self._check_format()

    def __repr__(self) -> str:
        return f"LocalStore({str(self.folder)!r})"

    def has(self, digest: str) -> bool:
        """Tell whether an object is there, and keep it from being collected as unused for a while."""
        return self._find(digest) is not None

    def read(self, digest: str) -> bytes:
        """Return an object's bytes, checked."""
        found, file = self._open(digest)
        with file:
            if found.form is Form.PLAIN and os.fstat(file.fileno()).st_size > READ_LIMIT:
                raise StoreError(f"object {digest} is too large to read at once", hint="stream it")
            return b"".join(self._pieces(found, file))

    def stream(self, digest: str) -> Iterator[bytes]:
        """Yield an object's bytes piece by piece; raises DamagedObjectError at the end if they were wrong."""
        found, file = self._open(digest)
        with file:
            yield from self._pieces(found, file)

    def path(self, digest: str, *, verify: bool = False) -> Path:
        """Return the path of the object's bytes as a plain, read-only file; `verify` reads them all first.

        An object that lies packed is unpacked for good. Raises MissingObjectError, DamagedObjectError.
        """
        found = self._required(digest)
        if found.form is not Form.PLAIN:
            self._keep(self.read(digest), name=object_name(digest))
            found.path.unlink(missing_ok=True)
        plain = self._file(digest, Form.PLAIN)
        if verify:
            for _ in self.stream(digest):
                pass
        return plain

    def write(self, data: bytes) -> str:
        """Keep the bytes, packed where that is worth it, and return their digest."""
        if len(data) > READ_LIMIT:
            return self.add(io.BytesIO(data))
        digest = digest_of(data)
        if not self.has(digest):
            form, packed = codec.pack(data)
            self._keep(packed, name=object_name(digest) + form.value)
        return digest

    def add(self, source: BinaryIO | Path, *, expected: str | None = None) -> str:
        """Keep all that a file or stream holds, as a plain file, and return its digest.

        Raises TrustError if `expected` is given and the digest is another; nothing is kept then.
        """
        if isinstance(source, Path):
            with source.open("rb") as file:
                return self.add(file, expected=expected)
        hasher = hashlib.sha256()

        def name() -> str:
            return object_name(as_expected(hasher.hexdigest(), expected=expected))

        with self._new_object(name) as target:
            for piece in iter(lambda: source.read(PIECE), b""):
                hasher.update(piece)
                target.write(piece)
        return hasher.hexdigest()

    def adopt(self, path: Path, *, expected: str | None = None) -> str:
        """Make a finished file an object by renaming it (it is gone from `path` then), and return its digest.

        The file must be on the store's file system, or it is copied. Nobody may write to it any more.
        Raises TrustError if `expected` is given and the digest is another; the file stays where it is then.
        """
        with path.open("rb") as file:
            digest = as_expected(hashlib.file_digest(file, "sha256").hexdigest(), expected=expected)
            if os.fstat(file.fileno()).st_dev != self._made(self.objects).stat().st_dev:
                self.add(path, expected=digest)
                path.unlink()
                return digest
            os.fchmod(file.fileno(), READ_ONLY)
            os.utime(file.fileno())
            if self.durable:
                os.fsync(file.fileno())
        target = self._file(digest, Form.PLAIN)
        self._made(target.parent)
        path.replace(target)
        return digest

    def delete(self, digest: str) -> None:
        """Drop an object; nothing happens if it is not there."""
        for form in Form:
            self._file(digest, form).unlink(missing_ok=True)

    def discard(self, found: ObjectFile, *, unused_since: int) -> int | None:
        """Drop an object's file if nobody wanted it since this time (nanoseconds since 1970).

        Returns the bytes freed on the disk, or None if the file stays. What looks unused is moved away before its time
        is looked at again: who wants it afterwards takes it back or finds it gone, and who wanted it before has
        changed its time.
        """
        doomed = self._doomed(found.path)
        try:
            if found.path.stat().st_mtime_ns >= unused_since:
                return None
            self._made(self.partial)
            found.path.replace(doomed)
            state = doomed.stat()
            if state.st_mtime_ns >= unused_since:
                doomed.replace(found.path)
                return None
            doomed.unlink()
        except FileNotFoundError:  # deleted, or wanted back, by another process
            return None
        return state.st_blocks * 512

    def put_back(self) -> None:
        """Give the objects their names again that a killed `discard` had moved away."""
        for doomed in self.partial.glob(f"{DOOMED}*"):
            name = doomed.name.removeprefix(DOOMED)
            found = object_file.parse(self.objects / name[:2] / name)
            if found is not None:
                doomed.replace(found.path)

    def digests(self) -> Iterator[str]:
        """Yield the digest of each object once, in no order."""
        for shard in self._shards():
            yield from {found.digest for found in _object_files(shard)}

    def object_files(self) -> Iterator[ObjectFile]:
        """Yield each file that holds an object."""
        for shard in self._shards():
            yield from _object_files(shard)

    def lease(self) -> AbstractContextManager[None]:
        """Keep all that is written or found during the block from being collected (`with store.lease():`)."""
        self._made(self.folder)
        return leases.hold(self.leases)

    def flush(self) -> None:
        """Flush all that was written to disk: for a store that is not `durable`, before a root names the objects."""
        files.sync_file_system(self._made(self.objects))

    def _find(self, digest: str) -> ObjectFile | None:
        """Return where an object is, after marking it as wanted now."""
        for form in Form:
            path = self._file(digest, form)
            doomed = self._doomed(path)
            # `discard` may move the file away and put it back between our looks, but not twice: it has a new time now.
            for place in (path, doomed, path):
                if not _mark_as_wanted(place):
                    continue
                if place is doomed:
                    with contextlib.suppress(FileNotFoundError):
                        doomed.replace(path)
                # A file that was moved while we marked it may have got its new time too late: is it at its place?
                if path.exists():
                    return ObjectFile(digest=digest, form=form, path=path)
        return None

    def _doomed(self, path: Path) -> Path:
        """Return where `discard` moves an object's file before it decides."""
        return self.partial / f"{DOOMED}{path.name}"

    def _required(self, digest: str) -> ObjectFile:
        found = self._find(digest)
        if found is None:
            raise MissingObjectError(digest, where=str(self.folder))
        return found

    def _file(self, digest: str, form: Form) -> Path:
        return self.objects / (object_name(digest) + form.value)

    def _open(self, digest: str) -> tuple[ObjectFile, BinaryIO]:
        while True:
            found = self._required(digest)
            try:
                return found, found.path.open("rb")
            except FileNotFoundError:  # collected, or unpacked for good (`path`): look again
                continue

    def _pieces(self, found: ObjectFile, file: BinaryIO) -> Iterator[bytes]:
        try:
            yield from object_file.pieces(found, file)
        except codec.CodecError as error:
            raise DamagedObjectError(found.digest, where=str(self.folder), reason=str(error)) from error

    def _shards(self) -> Iterator[Path]:
        if self.objects.is_dir():
            yield from sorted(shard for shard in self.objects.iterdir() if shard.is_dir())

    def _keep(self, data: codec.Bytes, *, name: str) -> None:
        with self._new_object(lambda: name) as file:
            file.write(data)

    @contextmanager
    def _new_object(self, name: Callable[[], str]) -> Iterator[BinaryIO]:
        """Open a file that becomes the object `name()` when the block ends without an error."""
        self._made(self.folder)
        descriptor, path = leases.locked_file(self.partial, prefix="new-")
        try:
            # The lock on the descriptor tells garbage collection that the file is being written.
            with os.fdopen(descriptor, "wb") as file:
                yield file
                target = self.objects / name()
                file.flush()
                os.fchmod(file.fileno(), READ_ONLY)
                if self.durable:
                    os.fsync(file.fileno())
                self._made(target.parent)
                path.replace(target)
        except OSError as error:
            path.unlink(missing_ok=True)
            if files.out_of_room(error):
                raise files.full_disk(self.objects) from error
            raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _check_format(self) -> None:
        try:
            found = (self.folder / "format").read_text(errors="replace")
        except FileNotFoundError:
            return
        if found != FORMAT:
            raise StoreError(
                f"the store in {self.folder} has the format {found[:80].strip()!r}, not {FORMAT.strip()!r}",
                hint="it was made by another version of jeos: use that one, or set JEOS_CACHE_DIR to a new folder",
            )

    def _made(self, folder: Path) -> Path:
        """Return a folder of the store after making sure that it is there."""
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "format").exists():
                files.write(self.folder / "format", FORMAT)
        return folder


def _object_files(shard: Path) -> Iterator[ObjectFile]:
    for path in sorted(shard.iterdir()):
        found = object_file.parse(path)
        if found is not None:
            yield found


def _mark_as_wanted(path: Path) -> bool:
    """Set a file's time to now; tell whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # a store that we may only read
        return path.exists()
    return True
