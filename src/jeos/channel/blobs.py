"""Blobs, the immutable files of a channel, and the notes that let a publishing go on which was cut off.

notes = Notes(backend, "work/hello_1.1.json")
blob = notes.blob("patch from 1.0", make)    # `make` is called only if the blob was not written before
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jeos.channel import layout
from jeos.channel.backend import Backend
from jeos.core.errors import JeosError
from jeos.model.release import Blob


def blob_of(data: bytes | Path) -> Blob:
    """Return what names these bytes, or those of a file."""
    if isinstance(data, bytes):
        return Blob(hashlib.sha256(data).hexdigest(), len(data))
    with data.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Blob(digest, file.tell())


def put_blob(backend: Backend, data: bytes | Path) -> Blob:
    """Write a blob into a channel, if it is not there."""
    blob = blob_of(data)
    backend.put_new(layout.blob_name(blob.sha256), data)
    return blob


def is_there(backend: Backend, blob: Blob) -> bool:
    """Tell whether a channel has a blob, at least of its length."""
    found = backend.stat(layout.blob_name(blob.sha256))
    return found is not None and found.size == blob.length


class Notes:
    """What a publishing has done so far, kept in the channel: each step's blobs, by what they were made from."""

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend, self._name = backend, name
        self.used = False  # whether anything of what was noted before is relied on: nobody signed it
        self._steps: dict[str, tuple[Blob, ...]] = {}
        if backend.stat(name) is not None:
            with suppress(ValueError, KeyError, TypeError, AttributeError, JeosError):  # then all is made again
                self._steps = read_notes(backend.get(name))

    def known(self, step: str) -> tuple[Blob, ...] | None:
        """Return the blobs of a step that was done, if all of them are still there."""
        noted = self._steps.get(step)
        if not noted or not all(is_there(self._backend, blob) for blob in noted):
            return None
        self.used = True
        return noted

    def add(self, step: str, blobs: tuple[Blob, ...]) -> tuple[Blob, ...]:
        """Note that a step is done, and return its blobs."""
        self._steps[step] = blobs
        values = {step: [[blob.sha256, blob.length] for blob in done] for step, done in self._steps.items()}
        self._backend.put(self._name, json.dumps({"steps": values}, sort_keys=True).encode())
        return blobs

    def blob(self, step: str, make: Callable[[], bytes | Path]) -> Blob:
        """Return the one blob of a step: what was done before is not done again."""
        known = self.known(step)
        return known[0] if known else self.add(step, (put_blob(self._backend, make()),))[0]


def read_notes(data: bytes) -> dict[str, tuple[Blob, ...]]:
    """Return the blobs of each step that notes name. Raises ValueError, KeyError, TypeError or InputError if odd."""
    steps: dict[str, list[list[object]]] = json.loads(data)["steps"]
    return {step: tuple(Blob(*blob) for blob in blobs) for step, blobs in steps.items()}  # type: ignore[arg-type]
