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
from django.utils import timezone

from jeos.core.errors import InputError, UsageError
from jeos.server.importing import archives, gathering, placing, standing
from jeos.server.importing.models import Import, Kind, Staged
from jeos.server.importing.records import File, Message, Person, Record, Room, Topic
from jeos.server.importing.sources import discourse, phpbb
from jeos.server.importing.sql import Row, bounded, rows

BATCH = 1_000
KINDS = {Person: Kind.PERSON, Room: Kind.ROOM, Topic: Kind.TOPIC, Message: Kind.MESSAGE, File: Kind.FILE}
ARCHIVES = (".tar.gz", ".tgz", ".tar")
BACKUP_DUMP = "dump.sql.gz"  # within a backup of Discourse


class Reader(Protocol):
    """What turns the rows of a program's dump into records."""

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says."""


SOURCES = {"discourse": discourse, "phpbb": phpbb}
FIRST = {
    "discourse": ("user_emails", "tags", "topic_tags", "uploads"),
    "phpbb": ("attachments",),
}  # tables that others refer to


def stage(
    source: str,
    path: Path,
    *,
    prefix: str = "",
    closed: Collection[int] | None = None,
    files: Path | None = None,
) -> dict[str, int]:
    """Read a dump of a program; return how many records of each kind wait now.

    `files` is the folder of the forum's uploaded files; a backup of Discourse may hold them.
    `closed` are the numbers of parts that only moderators may read here; phpBB's dump does not say plainly which were
    closed there, so that somebody must. Raises UsageError for a program that is not known or that came already,
    InputError for a dump that is torn. Then nothing waits, and the import says why; a better dump can be read.
    """
    if source not in SOURCES:
        raise UsageError(f"forums of {source} are not known", hint=" or ".join(sorted(SOURCES)))
    if source == phpbb.NAME and closed is None:
        raise UsageError(
            "it must be said which forums of phpBB were closed: its dump does not say it plainly",
            hint="--closed 3,9 with the numbers f=… in their addresses, or --closed none",
        )
    run, _new = Import.objects.get_or_create(source=source)
    if run.read is not None:
        raise _came(run)
    Import.objects.filter(pk=run.pk, read=None).update(failed=None, error="", made=timezone.now())
    try:
        gathering.clear(source)  # of a try that was killed
        return _stage(run, path, prefix=prefix, closed=closed or (), files=files)
    except Exception as error:
        if not Import.objects.filter(pk=run.pk).exclude(read=None).exists():
            gathering.clear(source)
        unread = Import.objects.filter(pk=run.pk, read=None)
        unread.update(failed=timezone.now(), error=standing.reason(error)[: standing.REASON])
        raise


def _came(run: Import) -> UsageError:
    """Return what is said to who brings a forum that came."""
    if run.finished is not None:
        return UsageError(f"a forum of {run.source} came here already", hint="a site takes one of each program")
    return UsageError(
        f"the dump of {run.source} was read already, and content is being made of it",
        hint=f"jeos server import-from {run.source} --resume goes on where it stopped",
    )


@transaction.atomic
def _stage(run: Import, path: Path, *, prefix: str, closed: Collection[int], files: Path | None) -> dict[str, int]:
    """Read a dump into records that wait, and put the first task for them into the queue."""
    from jeos.server.importing import tasks  # tasks import what they do

    held = Import.objects.select_for_update().get(pk=run.pk)
    if held.read is not None:  # somebody else read it while this process waited
        raise _came(held)
    counted = dict.fromkeys((kind.name.lower() for kind in Kind), 0)
    waiting = (
        _staged(run, record if not _is_closed(record, closed) else replace(record, closed=True))
        for record in records(run.source, path, prefix=prefix)
    )
    while batch := list(islice(waiting, BATCH)):
        Staged.objects.bulk_create(batch, ignore_conflicts=True)
        for row in batch:
            counted[Kind(row.kind).name.lower()] += 1
    if not counted["person"] or not counted["message"]:
        raise InputError(
            f"{path} holds no members or no posts of {run.source}", hint="is it the right dump, and whole?"
        )
    if counted["file"]:
        counted["file"] -= _gather(run, path, files)
    total = Staged.objects.filter(run=run).count()
    Import.objects.filter(pk=run.pk).update(read=timezone.now(), total=total)
    tasks.advance.enqueue(run.pk, held.turn)
    return counted


def _gather(run: Import, path: Path, folder: Path | None) -> int:
    """Put the files that posts refer to onto the shelf; return how many are not taken."""
    waiting = Staged.objects.filter(run=run, kind=Kind.FILE)
    archive = path.name.endswith(ARCHIVES)
    if folder is None and not archive:
        count = waiting.delete()[0]
        placing.note(run.pk, [f"{count} files: neither the dump nor --files has them"])
        return count
    rows = list(waiting.values_list("number", "data__place", "data__name"))
    wanted = {str(place): number for number, place, _name in rows}
    names = {number: str(name) for number, _place, name in rows}
    with _readable(path):
        left = dict(
            gathering.from_folder(folder, run.source, wanted)
            if folder is not None
            else gathering.from_archive(path, run.source, wanted)
        )
    left |= dict.fromkeys(names.keys() - set(wanted.values()), "is named twice")
    numbers = iter(left)
    while part := list(islice(numbers, BATCH)):
        waiting.filter(number__in=part).delete()
    placing.note(run.pk, [f"{names[number]}: {why}" for number, why in list(left.items())[: placing.NOTES]])
    return len(left)


def _is_closed(record: Record, closed: Collection[int]) -> TypeGuard[Room]:
    """Tell whether a record is a part of the forum that was said to be closed."""
    return isinstance(record, Room) and record.number in closed


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
    with _readable(path):
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
def _readable(path: Path) -> Iterator[None]:
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
