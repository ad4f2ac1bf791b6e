"""Backups of forums as archives, read within bounds: Python's tarfile reads what precedes a member whole into memory.

Long names and the headers of POSIX.1-2001 (pax) stand in blocks of their own before a member, whose size the archive
says itself; and the map of a file with holes (GNU, "sparse") is read as long as it goes on. No backup of a forum has
either larger than a name needs.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGEST_HEADER = 64 << 10  # bytes of names and attributes before a member; a path of Linux has at most 4,096
BEFORE = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class _Member(tarfile.TarInfo):
    """What precedes a member, refused where it is larger than any name."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        """Return what a block says. Raises ReadError, which no reader takes for the end, for one that says too much."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in BEFORE and found.size > LARGEST_HEADER:
            raise tarfile.ReadError(f"a header has {found.size:,} bytes")
        if found.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(f"a file with holes: {found.name[:200]}")
        return found

    def _proc_gnusparse_10(self, *_of: object) -> None:
        """Refuse a map of holes that precedes the data of a member, and that has no bounds."""
        raise tarfile.ReadError(f"a file with holes: {self.name[:200]}")


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive, packed in any way. Raises TarError while it is read."""
    with tarfile.open(path, mode="r:*", tarinfo=_Member) as archive:
        yield archive
