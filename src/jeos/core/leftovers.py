"""Work folders in places that users choose, which are swept up wherever the next run works if this one is killed.

    with work_folder(Path("/srv/machines"), prefix=".jeos-convert-", notes=cache_dir() / "work-folders") as folder:
        …

A killed process cannot clean up, and its user may never come back to that place. So each place is noted, for as long as
something of ours is there.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jeos.core import files

_NAME_LENGTH = 16  # hexadecimal digits


@contextmanager
def work_folder(parent: Path, *, prefix: str, notes: Path) -> Iterator[Path]:
    """Make a private folder under `parent` and delete it when the block ends, as `files.temporary_folder` does.

    What killed processes left is deleted first, in all places that `notes` knows; what is not to be reached now stays
    noted.
    """
    _sweep_noted(notes, prefix=prefix)
    parent.mkdir(parents=True, exist_ok=True)
    parent = parent.resolve()
    with files.temporary_folder(parent, prefix=prefix) as folder:
        note = notes / hashlib.sha256(str(parent).encode("utf-8", "surrogateescape")).hexdigest()[:_NAME_LENGTH]
        with suppress(OSError):  # a cache that cannot be written to is no reason not to work
            files.write(note, str(parent).encode("utf-8", "surrogateescape"), durable=False)
        yield folder


def _sweep_noted(notes: Path, *, prefix: str) -> None:
    for note in sorted(notes.glob("[0-9a-f]" * _NAME_LENGTH)):
        with suppress(OSError):
            parent = Path(note.read_bytes().decode("utf-8", "surrogateescape"))
            if not parent.is_absolute() or not parent.is_dir():
                continue
            if not files.sweep(parent, prefix=prefix):
                note.unlink(missing_ok=True)
