"""Reading a dump into records that wait, in one transaction: all of it or nothing."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeGuard

from django.db import transaction

from jeos.core.errors import InputError, UsageError
from jeos.server.importing.models import Import, Kind, Staged
from jeos.server.importing.records import Message, Person, Record, Room, Topic
from jeos.server.importing.sources import discourse, phpbb
from jeos.server.importing.sql import Row, bounded, rows

BATCH = 1_000
KINDS = {Person: Kind.PERSON, Room: Kind.ROOM, Topic: Kind.TOPIC, Message: Kind.MESSAGE}
BACKUP_DUMP = "dump.sql.gz"  # within a backup of Discourse


class Reader(Protocol):
    """What turns the rows of a program's dump into records."""

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says."""


SOURCES = {"discourse": discourse, "phpbb": phpbb}
FIRST = {"discourse": ("user_emails", "tags", "topic_tags"), "phpbb": ()}  # tables that others refer to


def stage(source: str, path: Path, *, prefix: str = "", closed: Collection[int] | None = None) -> dict[str, int]:
    """Read a dump of a program; return how many records of each kind wait now.

    `closed` are the numbers of parts that only moderators may read here; phpBB's dump does not say plainly which were
    closed there, so that somebody must. Raises UsageError for a program that is not known or that came already,
    InputError for a dump that is torn.
    """
    if source not in SOURCES:
        raise UsageError(f"forums of {source} are not known", hint=" or ".join(sorted(SOURCES)))
    if Import.objects.filter(source=source).exists():
        raise UsageError(f"a forum of {source} came here already", hint="a site takes one of each program")
    if source == phpbb.NAME and closed is None:
        raise UsageError(
            "it must be said which forums of phpBB were closed: its dump does not say it plainly",
            hint="--closed 3,9 with the numbers f=… in their addresses, or --closed none",
        )
    counted = dict.fromkeys((kind.name.lower() for kind in Kind), 0)
    with transaction.atomic():
        run = Import.objects.create(source=source)
        waiting = (
            _staged(run, record if not _is_closed(record, closed) else replace(record, closed=True))
            for record in records(source, path, prefix=prefix)
        )
        while batch := list(islice(waiting, BATCH)):
            Staged.objects.bulk_create(batch, ignore_conflicts=True)
            for row in batch:
                counted[Kind(row.kind).name.lower()] += 1
        if not counted["person"] or not counted["message"]:
            raise InputError(
                f"{path} holds no members or no posts of {source}", hint="is it the right dump, and whole?"
            )
        from jeos.server.importing import tasks  # tasks import what they do

        tasks.advance.enqueue(run.pk)
    return counted


def _is_closed(record: Record, closed: Collection[int] | None) -> TypeGuard[Room]:
    """Tell whether a record is a part of the forum that was said to be closed."""
    return isinstance(record, Room) and record.number in (closed or ())


def records(source: str, path: Path, *, prefix: str = "") -> Iterator[Record]:
    """Return the records of a dump."""
    module = SOURCES[source]
    reader: Reader = module.Reader()
    first = FIRST[source]
    for wanted in (first, [name for name in module.ORDER if name not in first]):
        if not wanted:
            continue
        with lines_of(path) as lines:
            for row in rows(bounded(lines), wanted={prefix + name for name in wanted}):
                yield from reader.records(Row(row.table.removeprefix(prefix), row.values))


def _staged(run: Import, record: Record) -> Staged:
    data: dict[str, Any] = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(record).items()
    }
    topic, place = (record.topic, record.place) if isinstance(record, Message) else (0, 0)
    return Staged(run=run, kind=KINDS[type(record)], topic=topic, place=place, number=record.number, data=data)


@contextmanager
def lines_of(path: Path) -> Iterator[TextIO]:
    """Open a dump: plain, packed by gzip, or within a backup of Discourse. Raises InputError while it is read."""
    if not path.is_file():
        raise UsageError(f"there is no {path}", hint="name the file with the dump")
    try:
        if path.name.endswith((".tar.gz", ".tgz", ".tar")):
            with tarfile.open(path, mode="r:*") as archive:
                yield io.TextIOWrapper(gzip.GzipFile(fileobj=_within(archive, path)), encoding="utf-8", newline="\n")
        elif path.name.endswith(".gz"):
            with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
                yield lines
        else:
            with path.open(encoding="utf-8", newline="\n") as plain:
                yield plain
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="it is damaged, or no dump") from error


def _within(archive: tarfile.TarFile, path: Path) -> Any:
    """Return the packed dump within a backup. Raises InputError."""
    for member in archive:
        if member.isreg() and member.name.removeprefix("./") == BACKUP_DUMP:
            return archive.extractfile(member)
    raise InputError(f"{path} holds no {BACKUP_DUMP}", hint="a backup of Discourse has one")
