"""Reading a dump into records that wait, in one transaction: all of it or nothing."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections import Counter
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
from jeos.server.importing import archives, gathering, placing, reporting, standing
from jeos.server.importing.models import Import, Kind, Staged
from jeos.server.importing.records import (
    Ballot,
    Face,
    File,
    Interest,
    Message,
    Person,
    Poll,
    Reaction,
    Record,
    Room,
    Topic,
)
from jeos.server.importing.sources import discourse, phpbb
from jeos.server.importing.sql import Row, bounded, rows

BATCH = 1_000
KINDS: dict[type[Record], Kind] = {
    Person: Kind.PERSON,
    Room: Kind.ROOM,
    Topic: Kind.TOPIC,
    Message: Kind.MESSAGE,
    File: Kind.FILE,
    Face: Kind.FACE,
    Poll: Kind.POLL,
    Ballot: Kind.BALLOT,
    Reaction: Kind.REACTION,
    Interest: Kind.INTEREST,
}
ARCHIVES = (".tar.gz", ".tgz", ".tar")
BACKUP_DUMP = "dump.sql.gz"  # within a backup of Discourse


class Reader(Protocol):
    """What turns the rows of a program's dump into records, and counts what nothing here could hold."""

    unplaced: Counter[str]  # by the names of `reporting.UNPLACED`

    def records(self, row: Row) -> Iterator[Record]:
        """Return what a row says."""


SOURCES = {"discourse": discourse, "phpbb": phpbb}
FIRST = {
    "discourse": discourse.FIRST,
    "phpbb": phpbb.FIRST,
}  # tables that others refer to


def stage(
    source: str,
    path: Path,
    *,
    prefix: str = "",
    closed: Collection[int] | None = None,
    files: Path | None = None,
    faces: Path | None = None,
) -> dict[str, int]:
    """Read a dump of a program; return how many records of each kind wait now.

    `files` is the folder of the forum's uploaded files; a backup of Discourse may hold them. `faces` is the folder of
    the pictures of members, which phpBB has elsewhere.
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
        return _stage(run, path, prefix=prefix, closed=closed or (), files=files, faces=faces)
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
def _stage(
    run: Import, path: Path, *, prefix: str, closed: Collection[int], files: Path | None, faces: Path | None
) -> dict[str, int]:
    """Read a dump into records that wait, and put the first task for them into the queue."""
    from jeos.server.importing import tasks  # tasks import what they do

    held = Import.objects.select_for_update().get(pk=run.pk)
    if held.read is not None:  # somebody else read it while this process waited
        raise _came(held)
    counted = dict.fromkeys(map(reporting.name_of, KINDS.values()), 0)
    unplaced: Counter[str] = Counter()
    waiting = (
        _staged(run, record if not _is_closed(record, closed) else replace(record, closed=True))
        for record in records(run.source, path, prefix=prefix, unplaced=unplaced)
    )
    while batch := list(islice(waiting, BATCH)):
        Staged.objects.bulk_create(batch, ignore_conflicts=True)
        for row in batch:
            counted[reporting.name_of(row.kind)] += 1
    if not counted["person"] or not counted["message"]:
        raise InputError(
            f"{path} holds no members or no posts of {run.source}", hint="is it the right dump, and whole?"
        )
    left = _gather_all(run, path, files=files, faces=faces)
    for name, count in left.items():
        counted[name] -= count
    reporting.add(run.pk, "left", left)
    reporting.add(run.pk, "unplaced", unplaced)
    total = Staged.objects.filter(run=run).count()
    Import.objects.filter(pk=run.pk).update(read=timezone.now(), total=total)
    tasks.advance.enqueue(run.pk, held.turn)
    return counted


def _gather_all(run: Import, path: Path, *, files: Path | None, faces: Path | None) -> Counter[str]:
    """Put what a dump refers to onto the shelf, each from where it lies; return how much of each kind is not taken."""
    kinds: tuple[Kind, ...]
    if run.source == phpbb.NAME:
        kinds, others = (Kind.FILE,), _gather(run, path, faces, (Kind.FACE,), "pictures of members", "--faces")
    else:
        kinds, others = (Kind.FILE, Kind.FACE), Counter[str]()
    return others + _gather(run, path, files, kinds, "files", "--files")


def _gather(
    run: Import, path: Path, folder: Path | None, kinds: Collection[Kind], words: str, option: str
) -> Counter[str]:
    """Put the files of some kinds onto the shelf; return how many of each are not taken."""
    waiting = Staged.objects.filter(run=run, kind__in=kinds)
    rows = list(waiting.values_list("pk", "kind", "number", "data__place", "data__name", "data__key"))
    if not rows:
        return Counter()
    if folder is None and not path.name.endswith(ARCHIVES):
        waiting.delete()
        placing.note(run.pk, [f"{len(rows)} {words}: neither the dump nor {option} has them"])
        return Counter(reporting.name_of(kind) for _pk, kind, *_about in rows)
    wanted: dict[str, set[str]] = {}
    left: dict[int, str] = {}  # what is not taken, and why
    seen: set[str] = set()
    for pk, kind, number, place, _name, key in rows:
        names = wanted.setdefault(str(place), set())
        if kind == Kind.FACE:
            names.add(gathering.face_name(str(key)))
        elif place in seen:
            left[pk] = "is named twice"
        else:
            seen.add(str(place))
            names.add(str(number))
    with _readable(path):
        missing = dict(
            gathering.from_folder(folder, run.source, wanted)
            if folder is not None
            else gathering.from_archive(path, run.source, wanted)
        )
    left |= {pk: missing[str(place)] for pk, _kind, _number, place, *_more in rows if str(place) in missing}
    numbers = iter(left)
    while part := list(islice(numbers, BATCH)):
        waiting.filter(pk__in=part).delete()
    refused = [(kind, f"{name}: {left[pk]}") for pk, kind, _number, _place, name, _key in rows if pk in left]
    placing.note(run.pk, [line for _kind, line in refused[: placing.NOTES]])
    return Counter(reporting.name_of(kind) for kind, _line in refused)


def _is_closed(record: Record, closed: Collection[int]) -> TypeGuard[Room]:
    """Tell whether a record is a part of the forum that was said to be closed."""
    return isinstance(record, Room) and record.number in closed


def records(source: str, path: Path, *, prefix: str = "", unplaced: Counter[str] | None = None) -> Iterator[Record]:
    """Return the records of a dump; at the end, add to `unplaced` what it had that nothing here could hold."""
    module = SOURCES[source]
    reader: Reader = module.Reader()
    first = FIRST[source]
    for wanted in (first, [name for name in module.ORDER if name not in first]):
        if not wanted:
            continue
        with lines_of(path) as lines:
            for row in rows(bounded(lines), wanted={prefix + name for name in wanted}):
                yield from reader.records(Row(row.table.removeprefix(prefix), row.values))
    if unplaced is not None:
        unplaced.update(reader.unplaced)


def _staged(run: Import, record: Record) -> Staged:
    data: dict[str, Any] = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(record).items()
    }
    topic, place = _order(record)
    return Staged(run=run, kind=KINDS[type(record)], topic=topic, place=place, number=record.number, data=data)


def _order(record: Record) -> tuple[int, int]:
    """Return by what records of a kind become content one after another, before their numbers."""
    match record:
        case Message(topic=topic, place=place):
            return topic, place
        case Poll(message=about) | Ballot(poll=about) | Reaction(message=about):
            return about, 0
    return 0, 0


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
