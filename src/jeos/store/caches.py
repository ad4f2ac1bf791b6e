"""Folders that can be made again: unpacked packages, layers, stages. Each is made once, whole, by one process.

    path = caches.obtain("unpacked", package.sha256, lambda folder: unpack(deb, folder))

An entry is `<kind>/<key>` with a marker `<kind>/<key>.used` beside it, whose time says when it was last used. Without
its marker an entry does not exist. A crash leaves at most a `.partial` folder, which the next sweep removes.

Entries hold thousands of files, and flushing each of them to disk would cost more than making it. So a marker names
the boot in which its entry was made, until `flush` has brought all of them to disk: after a power failure an entry
that was not flushed counts for nothing.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jeos.core import files
from jeos.core.errors import StoreError
from jeos.store import leases

KINDS = ("unpacked", "layers", "stages")
MARKER = ".used"
LOCK = ".lock"
FLUSHED = "flushed"  # what a marker says instead of a boot, once its entry is on the disk

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~:-]{0,199}")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Remove = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One finished entry: `used` is the time of its last use, in nanoseconds since 1970."""

    kind: str
    key: str
    path: Path
    used: int


class CacheFolder:
    """The caches under one folder (`settings.cache_dir()`), shared by any number of processes.

    `remove` deletes a folder with all that is in it. What belongs to sub-uids can be deleted only inside the user
    namespace, so that a caller outside of one gives a function that enters it.
    """

    def __init__(self, folder: Path, *, remove: Remove = files.remove_tree) -> None:
        self.folder = folder
        self.remove = remove
        self.leases = folder / "leases"

    def entry(self, kind: str, key: str) -> Path:
        """Return the path that an entry has, whether it is there or not."""
        if kind not in KINDS or not _KEY.fullmatch(key) or key.endswith((MARKER, LOCK)):
            raise StoreError(f"no cache can have the entry {kind}/{key}", hint="this is a fault in jeos: report it")
        return self.folder / kind / key

    def lookup(self, kind: str, key: str) -> Path | None:
        """Return the path of a finished entry, marked as used now, or None. Hold a lease while you use it."""
        path = self.entry(kind, key)
        if not self._is_valid(path):
            return None
        self.touch(kind, key)
        # A sweep that moved the marker away under our hands did not see its new time.
        return path if _marker(path).exists() else None

    def touch(self, kind: str, key: str) -> None:
        """Mark an entry as used now; nothing happens if it is not there."""
        with contextlib.suppress(OSError):  # gone, or a cache that we may only read
            os.utime(_marker(self.entry(kind, key)))

    @contextmanager
    def create(self, kind: str, key: str) -> Iterator[Path | None]:
        """Make an entry: the block fills the empty folder it is given, which becomes the entry when the block ends.

        Other processes that want the same entry wait. The block is given None, and must do nothing, if the entry is
        there already (another process made it meanwhile). If the block raises, nothing remains.
        """
        path = self.entry(kind, key)
        partial = _partial(path)
        with files.locked(_lock(path)):
            if self.lookup(kind, key) is not None:
                yield None
                return
            self._clear(path)
            partial.mkdir(mode=0o755)
            try:
                yield partial
                partial.rename(path)
                _mark(path, _boot())
            except BaseException:
                self._clear(path)
                raise

    def obtain(self, kind: str, key: str, fill: Callable[[Path], None]) -> Path:
        """Return the path of an entry, after letting `fill` make it if it is not there."""
        found = self.lookup(kind, key)
        if found is not None:
            return found
        with self.create(kind, key) as partial:
            if partial is not None:
                fill(partial)
        return self.entry(kind, key)

    def lease(self) -> AbstractContextManager[None]:
        """Keep every entry that is used during the block from being swept (`with caches.lease():`)."""
        return leases.hold(self.leases)

    def flush(self) -> None:
        """Bring the entries made since the last flush to disk, so that they outlive a power failure."""
        boot = _boot()
        fresh = [found.path for found in self.entries() if _made_in(found.path) == boot]
        if not fresh:
            return
        files.sync_file_system(self.folder)
        for path in fresh:
            with files.locked(_lock(path)):
                if _made_in(path) == boot:
                    _mark(path, FLUSHED)

    def entries(self) -> Iterator[CacheEntry]:
        """Yield each finished entry."""
        for kind in KINDS:
            for marker in sorted((self.folder / kind).glob(f"*{MARKER}")):
                path = marker.with_name(marker.name.removesuffix(MARKER))
                with contextlib.suppress(FileNotFoundError):
                    used = marker.stat().st_mtime_ns
                    if self._is_valid(path):
                        yield CacheEntry(kind=kind, key=path.name, path=path, used=used)

    def sweep(self, *, older_than: float, dry_run: bool = False) -> list[CacheEntry]:
        """Delete the entries that nobody used for `older_than` seconds, and what crashes left; return the entries.

        What is used under a lease, or is being made, stays. `dry_run` deletes nothing.
        """
        if not self.folder.is_dir():
            return []
        unused_since = leases.horizon(self.leases, older_than=older_than)
        old = [found for found in self.entries() if found.used < unused_since]
        if dry_run:
            return old
        gone = [found for found in old if self._drop(found, unused_since=unused_since)]
        self._clear_leftovers()
        return gone

    def _drop(self, found: CacheEntry, *, unused_since: int) -> bool:
        marker, doomed = _marker(found.path), found.path.with_name(f".{found.key}.doomed")
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(files.locked(_lock(found.path), wait=False))
            except StoreError:  # somebody works on it
                return False
            try:
                marker.rename(doomed)
            except FileNotFoundError:
                return False
            # Who used the entry before its marker moved changed the time; who comes after finds no marker.
            if doomed.stat().st_mtime_ns >= unused_since:
                doomed.rename(marker)
                return False
            self._clear(found.path)
            doomed.unlink()
            _lock(found.path).unlink()
        return True

    def _clear_leftovers(self) -> None:
        """Delete what has no marker and nobody works on: what killed processes left."""
        for kind in KINDS:
            for key in sorted({_key_of(path.name) for path in (self.folder / kind).glob("*")}):
                path = self.folder / kind / key
                if not _KEY.fullmatch(key) or self._is_valid(path):
                    continue
                with contextlib.suppress(StoreError), files.locked(_lock(path), wait=False):
                    if not self._is_valid(path):
                        self._clear(path)
                        for rest in ("doomed", "marker"):
                            path.with_name(f".{key}.{rest}").unlink(missing_ok=True)
                        _lock(path).unlink()

    def _clear(self, path: Path) -> None:
        """Delete an entry and all that an attempt to make it left; the marker goes first, the caller has the lock."""
        _marker(path).unlink(missing_ok=True)
        partial = _partial(path)
        if partial.exists():
            self.remove(partial)
        if path.exists():
            path.rename(partial)  # so that a killed removal leaves something that is plainly unfinished
            self.remove(partial)

    def _is_valid(self, path: Path) -> bool:
        return _made_in(path) in (FLUSHED, _boot())


def _marker(path: Path) -> Path:
    return path.with_name(path.name + MARKER)


def _mark(path: Path, text: str) -> None:
    """Write an entry's marker; the caller has the lock."""
    fresh = path.with_name(f".{path.name}.marker")
    fresh.write_text(text)
    fresh.replace(_marker(path))


def _lock(path: Path) -> Path:
    return path.with_name(f".{path.name}{LOCK}")


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}{files.PARTIAL_SUFFIX}")


def _key_of(name: str) -> str:
    """Return the key that a file name under a kind's folder belongs to."""
    if name.startswith("."):
        return name[1:].rpartition(".")[0]
    return name.removesuffix(MARKER)


def _made_in(path: Path) -> str | None:
    """Return what an entry's marker says: a boot, FLUSHED, or None if there is no marker."""
    try:
        return _marker(path).read_text(errors="replace")
    except FileNotFoundError:
        return None


def _boot() -> str:
    """Return the name that the kernel gave to the time since it started."""
    return _BOOT_ID.read_text().strip()
