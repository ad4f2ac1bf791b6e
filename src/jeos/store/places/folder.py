"""Files in a folder, which any web server can serve as it is.

What a killed process left half-written has a name that starts with a dot, and is no file of the place.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jeos.core import files
from jeos.store.places.place import GET_LIMIT, ChangedFileError, Found, MissingFileError, check_name


class FolderPlace:
    """The files in `folder`; `what` they are is for messages."""

    what = "the folder"
    missing_hint = ""
    changed_hint = "run the command again"

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
            raise MissingFileError(name, where=f"{self.what} {self.place}", hint=self.missing_hint) from None

    def put_new(self, name: str, data: bytes | bytearray | memoryview | Path) -> bool:
        """Write a file that is never changed again; return False, and change nothing, if the name is taken."""
        path = self._path(name)
        if path.exists():
            return False
        # Linked from a name of its own, because a link, unlike a rename, never takes another's place.
        waiting = path.with_name(f".{path.name[:200]}.{os.urandom(8).hex()}{files.PARTIAL_SUFFIX}")
        try:
            with files.replace(waiting) as out:
                if isinstance(data, Path):
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, out, 1 << 20)
                else:
                    out.write(data)
            try:
                os.link(waiting, path)
            except FileExistsError:
                return False
        finally:
            waiting.unlink(missing_ok=True)
        files.sync_folder(path.parent)
        return True

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        """Write a file at once, in place of what was there; see `Place.put`."""
        if replaces is not None:
            there = self.stat(name)
            if (there.tag if there else "") != replaces:
                raise ChangedFileError(name, where=f"{self.what} {self.place}", hint=self.changed_hint)
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

    def _path(self, name: str) -> Path:
        return self.folder / check_name(name)
