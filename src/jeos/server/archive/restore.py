"""Reading an archive into an empty site, all of it or nothing."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from django.core.management.color import no_style
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Model

from jeos.core import log
from jeos.core.errors import InputError, UsageError
from jeos.server.archive import tables
from jeos.server.content import attachments, search
from jeos.server.content.models import Document

BATCH = 500  # rows that are written at once
LONGEST = 64 << 20  # bytes of one line: far more than any row has
MEMBERS = 1 << 20  # files in one archive


def read(path: Path) -> dict[str, int]:
    """Read an archive or a folder into the site; return the rows of each table.

    Raises UsageError if the site is not empty, InputError if the archive is not whole. Nothing is changed then.
    """
    if path.is_dir():
        return _restore(path)
    if not path.exists():
        raise UsageError(f"there is no {path}", hint="name a file that jeos server export wrote")
    with tempfile.TemporaryDirectory(prefix="jeos-import-") as name:
        _unpack(path, Path(name))
        return _restore(Path(name))


def _unpack(path: Path, folder: Path) -> None:
    """Unpack the plain files of an archive that may be one of ours. Raises InputError."""
    (folder / "tables").mkdir()
    (folder / "attachments").mkdir()
    known = {f"tables/{name}.jsonl" for name in tables.every()} | {"README.md", "site.json"}
    try:
        with tarfile.open(path, mode="r:") as archive:
            for member in islice(archive, MEMBERS):
                place, _slash, last = member.name.rpartition("/")
                ours = member.name in known or (place == "attachments" and tables.DIGEST.match(last))
                if not member.isreg() or not ours:
                    raise InputError(f"{path} holds {member.name!r}, which no archive of a site has", hint="is it one?")
                source = archive.extractfile(member)
                assert source is not None
                with (folder / member.name).open("wb") as out:
                    while piece := source.read(1 << 20):
                        out.write(piece)
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{path} is no archive of a site: {error}", hint="jeos server export writes them") from error


def _restore(folder: Path) -> dict[str, int]:
    """Read the files of an archive into the site, in one transaction."""
    expected = _expected(folder)
    models = tables.every()
    full = [name for name, model in models.items() if model._default_manager.exists()]
    if full:
        raise UsageError(f"the site is not empty: it has {', '.join(full[:4])}", hint="import into a new --data folder")
    try:
        with log.step("import") as step, transaction.atomic():
            for name, model in models.items():
                counted = _table(folder, name, model)
                if counted != expected.get(name, 0):
                    raise InputError(
                        f"{name} has {counted} rows and not {expected.get(name, 0)}", hint="the archive is not whole"
                    )
            _reset_numbers(list(models.values()))
            connection.check_constraints()
            step.done(f"{sum(expected.values())} rows of {len(expected)} tables")
    except (IntegrityError, DatabaseError) as error:
        raise InputError(f"the archive contradicts itself: {error}", hint="it is damaged, or was changed") from error
    return expected


def _expected(folder: Path) -> dict[str, int]:
    """Return how many rows each table of an archive has. Raises InputError."""
    try:
        about = json.loads((folder / "site.json").read_text(encoding="utf-8"))
        made_by, rows = about["format"], {str(name): int(count) for name, count in about["rows"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{folder} has no site.json that says what it is", hint="is it an archive of a site?"
        ) from error
    if made_by != tables.FORMAT:
        raise InputError(f"the archive has format {made_by}, this version reads {tables.FORMAT}", hint="update jeos")
    unknown = set(rows) - set(tables.every())
    if unknown:
        raise InputError(
            f"the archive has tables that are not known here: {', '.join(sorted(unknown))}", hint="update jeos"
        )
    return rows


def _table(folder: Path, name: str, model: type[Model]) -> int:
    """Read one table; return how many rows it has."""
    columns = {field.attname: field for field in tables.fields(name, model)}

    def find(digest: str) -> bytes:
        try:
            data = (folder / "attachments" / digest).read_bytes()
        except OSError as error:
            raise InputError(f"the attachment {digest} is not there", hint="the archive is not whole") from error
        if tables.digest_of(data) != digest:
            raise InputError(f"the attachment {digest} is damaged", hint="get the archive again")
        return data

    rows = (
        tables.as_row(model, columns, value, find=find, where=f"{name}, line {number}")
        for number, value in _lines(folder / "tables" / f"{name}.jsonl")
    )
    counted = 0
    where = attachments.place()
    while batch := list(islice(rows, BATCH)):
        for digest in {digest for row in batch for digest in tables.stored(name, row)}:
            if (folder / "attachments" / digest).exists():  # those that were lost before are not in the archive
                where.put(find(digest))
        if name == tables.SEARCH:
            search.index().put([_entry(row) for row in batch], new=True)
        else:
            model._default_manager.bulk_create(batch)
        counted += len(batch)
    return counted


def _lines(path: Path) -> Iterator[tuple[int, tables.Json]]:
    """Return number and value of each line. A table that is not there has none. Raises InputError."""
    if not path.exists():
        return
    with path.open("rb") as source:
        number = 0
        while line := source.readline(LONGEST):
            number += 1
            try:
                yield number, json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path.name}, line {number} is no JSON", hint="the archive is damaged") from error


def _entry(row: Model) -> search.Entry:
    """Return what search is told of a document."""
    assert isinstance(row, Document)
    return search.Entry(
        kind=row.kind,
        number=row.number,
        head=row.head,
        date=row.date,
        area=row.area,
        author=row.author,
        title=row.title,
        body=row.body,
        tags=tuple(row.tags.split()),
    )


def _reset_numbers(models: list[type[Model]]) -> None:
    """Let new rows have numbers after those that came: on PostgreSQL sequences do not follow by themselves."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
