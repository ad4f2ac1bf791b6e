"""Files in memory: for tests, which may look at `files`, damage one, or let calls fail."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from jeos.store.places.place import GET_LIMIT, ChangedFileError, Found, MissingFileError, check_name


class MemoryPlace:
    """Files in a dictionary, whole as everywhere; any number of threads may use it."""

    place = "memory"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._written: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._writes = 0

    def stat(self, name: str) -> Found | None:
        """Return what is known of a file, or None if it is not there."""
        with self._lock:
            data = self.files.get(check_name(name))
            return None if data is None else self._found(name, data)

    def get(self, name: str, *, offset: int = 0, limit: int = GET_LIMIT) -> bytes:
        """Return the bytes of a file from `offset` on, at most `limit` of them. Raises MissingFileError."""
        with self._lock:
            data = self.files.get(check_name(name))
        if data is None:
            raise MissingFileError(name, where=self.place)
        return data[offset : offset + limit]

    def put_new(self, name: str, data: bytes | bytearray | memoryview | Path) -> bool:
        """Write a file that is never changed again; return False, and change nothing, if the name is taken."""
        content = data.read_bytes() if isinstance(data, Path) else bytes(data)
        with self._lock:
            if check_name(name) in self.files:
                return False
            self._write(name, content)
            return True

    def put(self, name: str, data: bytes, *, replaces: str | None = None) -> None:
        """Write a file at once, in place of what was there; see `Place.put`."""
        with self._lock:
            there = self._written[name][1] if check_name(name) in self.files else ""
            if replaces is not None and there != replaces:
                raise ChangedFileError(name, where=self.place)
            self._write(name, bytes(data))

    def list(self, prefix: str = "") -> Iterator[Found]:
        """Yield all files whose names start with `prefix`."""
        with self._lock:
            found = [self._found(name, data) for name, data in self.files.items() if name.startswith(prefix)]
        yield from found

    def delete(self, name: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        with self._lock:
            self.files.pop(check_name(name), None)

    def _write(self, name: str, data: bytes) -> None:
        self._writes += 1
        self.files[name] = data
        self._written[name] = (time.time(), str(self._writes))

    def _found(self, name: str, data: bytes) -> Found:
        modified, tag = self._written.get(name, (0.0, ""))  # tests may put files in by hand
        return Found(name=name, size=len(data), modified=modified, tag=tag)
