"""Dumps of other forums as records, whatever they are packed in."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from jeos.core.errors import InputError, UsageError
from jeos.server.importing import archives
from jeos.server.importing.records import Record
from jeos.server.importing.sources import discourse, phpbb
from jeos.server.importing.sql import Row, bounded, rows

ARCHIVES = (".tar.gz", ".tgz", ".tar")
ENDINGS = (*ARCHIVES, ".sql", ".sql.gz")
BACKUP_DUMP = "dump.sql.gz"  # within a backup of Discourse


class Reader(Protocol):
    """What turns the rows of a program's dump into records, and counts what nothing here could hold."""

    unplaced: Counter[str]  # by the names of `reporting.UNPLACED`

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says."""


SOURCES = {"discourse": discourse, "phpbb": phpbb}


def records(source: str, path: Path, *, prefix: str = "", unplaced: Counter[str] | None = None) -> Iterator[Record]:
    """Return the records of a dump; at the end, add to `unplaced` what it had that nothing here could hold."""
    module = SOURCES[source]
    reader: Reader = module.Reader()
    for wanted in (module.FIRST, [name for name in module.ORDER if name not in module.FIRST]):
        with lines_of(path) as lines:
            for row in rows(bounded(lines), wanted={prefix + name for name in wanted}):
                yield from reader.records(Row(row.table.removeprefix(prefix), row.values))
    if unplaced is not None:
        unplaced.update(reader.unplaced)


@contextmanager
def lines_of(path: Path) -> Iterator[TextIO]:
    """Open a dump: plain, packed by gzip, or within a backup of Discourse. Raises InputError while it is read."""
    if not path.is_file():
        raise UsageError(f"there is no {path}", hint="name the file with the dump")
    with readable(path):
        if path.name.endswith(ARCHIVES):
            with archives.opened(path) as archive:
                yield io.TextIOWrapper(gzip.GzipFile(fileobj=_within(archive, path)), encoding="utf-8", newline="\n")
        elif path.name.endswith(".gz"):
            with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
                yield lines
        else:
            with path.open(encoding="utf-8", newline="\n") as plain:
                yield plain


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise InputError for a file that turns out to be damaged."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="it is damaged, or no dump") from error


def _within(archive: tarfile.TarFile, path: Path) -> Any:
    """Return the packed dump within a backup. Raises InputError."""
    for member in archive:
        if member.isreg() and member.name.removeprefix("./") == BACKUP_DUMP:
            return archive.extractfile(member)
    raise InputError(f"{path} holds no {BACKUP_DUMP}", hint="a backup of Discourse has one")
