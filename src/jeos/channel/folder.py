"""A channel in a folder, which any web server can serve as it is.

The lock is the kernel's (flock on `.lock`), so that it ends with the process that held it. What a killed process left
half-written has a name that starts with a dot; the next one to hold the lock deletes it.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from jeos.channel.backend import (
    GET_LIMIT,
    BusyChannelError,
    ChangedFileError,
    Found,
    MissingFileError,
    check_name,
)
from jeos.core import files
from jeos.core.errors import StoreError

LOCK = ".lock"
OTHER = "another process on this machine, or one that has the folder mounted"


class FolderBackend:
    """The files of a channel in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        """Return the folder's path."""
        return str(self.folder)

    def stat(self, name: str) -> Found | None:
        """Return what is known of a file, or None if it is not there."""
        try:
            state = self._path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(state.st_mode):
            return None
        # Every write makes a new file, so that these change with the content.
        tag = f"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"
        return Found(name=name, size=state.st_size, modified=state.st_mtime, tag=tag)

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        """Return the bytes of a file from `offset` on, at most `limit` of them. Raises MissingFileError."""
        try:
            with self._path(name).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingFileError(name, where=self.place) from None

    def put_new(self, name: str, data: bytes | Path) -> bool:
        """Write a file that is never changed again; return False, and change nothing, if the name is taken."""
        path = self._path(name)
        if path.exists():
            return False
        # Linked from a name of its own, because a link, unlike a rename, never takes another's place.
        waiting = path.with_name(f".{path.name[:200]}.{os.urandom(8).hex()}{files.PARTIAL_SUFFIX}")
        try:
            with files.replace(waiting) as out:
                if isinstance(data, bytes):
                    out.write(data)
                else:
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, out, 1 << 20)
            try:
                os.link(waiting, path)
            except FileExistsError:
                return False
        finally:
            waiting.unlink(missing_ok=True)
        files.sync_folder(path.parent)
        return True

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        """Write a file at once, in place of what was there; see `Backend.put`."""
        if replaces is not None:
            there = self.stat(name)
            if (there.tag if there else "") != replaces:
                raise ChangedFileError(name, where=self.place)
        files.write(self._path(name), data)

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield all files whose names start with `prefix`, without tags."""
        top = self.folder / prefix.rpartition("/")[0]
        for root, folders, names in os.walk(top):
            folders[:] = [folder for folder in folders if not folder.startswith(".")]
            for own in names:
                path = Path(root, own)
                name = str(path.relative_to(self.folder))
                if own.startswith(".") or not name.startswith(prefix):
                    continue
                with suppress(FileNotFoundError):  # deleted meanwhile
                    state = path.stat()
                    yield Found(name=name, size=state.st_size, modified=state.st_mtime, tag="")

    def delete(self, name: str) -> None:
        """Delete a file, and the folders that this leaves empty."""
        path = self._path(name)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone
            for parent in path.parents:
                if parent == self.folder:
                    break
                parent.rmdir()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep all others from changing the channel during the block. Raises BusyChannelError if somebody does."""
        held = ExitStack()
        try:
            held.enter_context(files.locked(self.folder / LOCK, wait=False))
        except StoreError:
            raise BusyChannelError(self.place, holder=OTHER) from None
        with held:
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Delete what killed processes left; who holds the lock is the only one to write."""
        for path in self.folder.rglob(f".*{files.PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / check_name(name)
