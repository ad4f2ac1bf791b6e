"""Reading a dump into records that wait, some at a time; they count once all of it was read.

Whoever begins to read takes the import over: a reader of before, that was thought dead, finds that at its next batch
and ends. What a reader left that was killed is removed by the next.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jeos.core.errors import InputError, UsageError
from jeos.server.importing import dumps, gathering, placing, reporting, standing
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
from jeos.server.importing.sources import phpbb

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


@dataclass(frozen=True)
class Dump:
    """What is read, and how.

    `closed` are the numbers of parts that only moderators may read here. `files` is the folder of the forum's uploaded
    files, which a backup of Discourse may hold; `faces` that of the pictures of members, which phpBB has elsewhere.
    """

    path: Path
    prefix: str = ""  # of the names of tables
    closed: frozenset[int] = field(default_factory=frozenset)
    files: Path | None = None
    faces: Path | None = None


def stage(
    source: str,
    path: Path,
    *,
    prefix: str = "",
    closed: Collection[int] | None = None,
    files: Path | None = None,
    faces: Path | None = None,
) -> dict[str, int]:
    """Read a dump of a program; return how many records of each kind wait now. See `Dump`.

    phpBB's dump does not say plainly which parts were closed there, so that somebody must. Raises UsageError for a
    program that is not known or that came already, InputError for a dump that is torn. Then nothing waits, and the
    import says why; a better dump can be read.
    """
    check_wanted(source, closed)
    dump = Dump(path, prefix=prefix, closed=frozenset(closed or ()), files=files, faces=faces)
    return read(source, dump)


def read(source: str, dump: Dump) -> dict[str, int]:
    """Read a dump of a program, as `stage` does."""
    with _reading(source) as (run, reader):
        return _stage(run, reader, dump)


def look(source: str, dump: Dump) -> dict[str, int]:
    """Read a dump of a program without bringing anything; return how many records of each kind it has.

    The import says so, and what has no place here. Raises UsageError, InputError, as `stage` does.
    """
    with _reading(source) as (run, reader):
        counted: Counter[str] = Counter()
        unplaced: Counter[str] = Counter()
        waiting = dumps.records(run.source, dump.path, prefix=dump.prefix, unplaced=unplaced)
        while batch := [reporting.name_of(KINDS[type(record)]) for record in islice(waiting, BATCH)]:
            counted.update(batch)
            with transaction.atomic():
                _hold(run, reader)
                Import.objects.filter(pk=run.pk).update(total=F("total") + len(batch))
        _check_whole(run, dump, counted)
        with transaction.atomic():
            _hold(run, reader)
            reporting.add(run.pk, "found", counted)
            reporting.add(run.pk, "unplaced", unplaced)
            Import.objects.filter(pk=run.pk).update(checked=timezone.now())
        return dict(counted)


def check_wanted(source: str, closed: Collection[int] | None) -> None:
    """Raise UsageError for a program that is not known, and where it is not said what was closed."""
    if source not in dumps.SOURCES:
        raise UsageError(f"forums of {source} are not known", hint=" or ".join(sorted(dumps.SOURCES)))
    if source == phpbb.NAME and closed is None:
        raise UsageError(
            "it must be said which forums of phpBB were closed: its dump does not say it plainly",
            hint="--closed 3,9 with the numbers f=… in their addresses, or --closed none",
        )


@contextmanager
def _reading(source: str) -> Iterator[tuple[Import, str]]:
    """Begin to read a dump into an import; if that fails, nothing waits, and the import says why."""
    reader = uuid.uuid4().hex
    run, _new = Import.objects.get_or_create(source=source)
    started = {"failed": None, "checked": None, "error": "", "made": timezone.now()}
    emptied = {"report": {}, "notes": [], "total": 0}
    if not Import.objects.filter(pk=run.pk, read=None).update(reader=reader, **started, **emptied):
        raise came(run)
    try:
        _clear(run)
        yield run, reader
    except Exception as error:
        own = Import.objects.filter(pk=run.pk, read=None, reader=reader)
        if own.update(failed=timezone.now(), error=standing.reason(error)[: standing.REASON]):
            _clear(run)
        raise


def _clear(run: Import) -> None:
    """Remove what a reader left."""
    gathering.clear(run.source)
    Staged.objects.filter(run=run).delete()


def _hold(run: Import, reader: str) -> Import:
    """Return an import that this reader may write to until the end of the transaction. Raises UsageError."""
    held = Import.objects.select_for_update().get(pk=run.pk)
    if held.read is not None:  # somebody else read it meanwhile
        raise came(held)
    if held.reader != reader:
        raise UsageError(f"the dump of {run.source} is read anew", hint="see Administration, Imports")
    return held


def came(run: Import) -> UsageError:
    """Return what is said to who brings a forum that came."""
    if run.finished is not None:
        return UsageError(f"a forum of {run.source} came here already", hint="a site takes one of each program")
    return UsageError(
        f"the dump of {run.source} was read already, and content is being made of it",
        hint=f"jeos server import-from {run.source} --resume goes on where it stopped",
    )


def _stage(run: Import, reader: str, dump: Dump) -> dict[str, int]:
    """Read a dump into records that wait, and put the first task for them into the queue."""
    from jeos.server.importing import tasks  # tasks import what they do

    counted: Counter[str] = Counter(dict.fromkeys(map(reporting.name_of, KINDS.values()), 0))
    unplaced: Counter[str] = Counter()
    waiting = (
        _staged(run, record if not _is_closed(record, dump.closed) else replace(record, closed=True))
        for record in dumps.records(run.source, dump.path, prefix=dump.prefix, unplaced=unplaced)
    )
    while batch := list(islice(waiting, BATCH)):
        with transaction.atomic():
            _hold(run, reader)
            Staged.objects.bulk_create(batch, ignore_conflicts=True)
            Import.objects.filter(pk=run.pk).update(total=F("total") + len(batch))
        counted.update(reporting.name_of(row.kind) for row in batch)
    _check_whole(run, dump, counted)
    left = _gather_all(run, dump)
    counted.subtract(left)
    with transaction.atomic():
        held = _hold(run, reader)
        reporting.add(run.pk, "left", left)
        reporting.add(run.pk, "unplaced", unplaced)
        total = Staged.objects.filter(run=run).count()
        Import.objects.filter(pk=run.pk).update(read=timezone.now(), total=total)
        tasks.advance.enqueue(run.pk, held.turn)
    return dict(counted)


def _check_whole(run: Import, dump: Dump, counted: Counter[str]) -> None:
    if not counted["person"] or not counted["message"]:
        raise InputError(
            f"{dump.path} holds no members or no posts of {run.source}", hint="is it the right dump, and whole?"
        )


def _gather_all(run: Import, dump: Dump) -> Counter[str]:
    """Put what a dump refers to onto the shelf, each from where it lies; return how much of each kind is not taken."""
    kinds: tuple[Kind, ...]
    if run.source == phpbb.NAME:
        kinds = (Kind.FILE,)
        others = _gather(run, dump.path, dump.faces, (Kind.FACE,), "pictures of members", "--faces")
    else:
        kinds, others = (Kind.FILE, Kind.FACE), Counter[str]()
    return others + _gather(run, dump.path, dump.files, kinds, "files", "--files")


def _gather(
    run: Import, path: Path, folder: Path | None, kinds: Collection[Kind], words: str, option: str
) -> Counter[str]:
    """Put the files of some kinds onto the shelf; return how many of each are not taken."""
    waiting = Staged.objects.filter(run=run, kind__in=kinds)
    rows = list(waiting.values_list("pk", "kind", "number", "data__place", "data__name", "data__key"))
    if not rows:
        return Counter()
    if folder is None and not path.name.endswith(dumps.ARCHIVES):
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
    with dumps.readable(path):
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
