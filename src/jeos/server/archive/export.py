"""Writing the whole site into an archive, while it runs, as it is at one instant."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from jeos.core import files, log
from jeos.core.errors import UsageError
from jeos.server.archive import tables
from jeos.server.content import attachments

BATCH = 2_000  # rows that are read at once
PRIVATE = 0o600
FOLDER = 0o700


def write(path: Path) -> dict[str, int]:
    """Write the site into a tar archive, or into a folder if `path` has no suffix; return the rows of each table.

    Raises UsageError if there is something already.
    """
    if path.exists():
        raise UsageError(f"there is something already: {path}", hint="name a file that does not exist yet")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as name:
        folder = Path(name) / "site"
        folder.mkdir(mode=FOLDER)
        with log.step("export") as step:
            with one_instant():
                counted = _fill(folder)
            if path.suffix:
                packed = Path(name) / "packed"
                packed.touch(mode=PRIVATE)
                _pack(folder, packed)
                packed.replace(path)
            else:
                folder.replace(path)
            step.done(f"{sum(counted.values())} rows of {len(counted)} tables")
    files.sync_folder(path.parent)
    return counted


@contextmanager
def one_instant() -> Iterator[None]:
    """Let all queries see the site as it was at the first, without keeping anybody from writing."""
    if connection.in_atomic_block:  # somebody else's transaction, as in tests
        yield
        return
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        wrapper: Any = connection  # the attribute is that of SQLite's alone
        before = wrapper.transaction_mode
        wrapper.transaction_mode = "DEFERRED"
        try:
            with transaction.atomic():
                yield
        finally:
            wrapper.transaction_mode = before
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _fill(folder: Path) -> dict[str, int]:
    """Write all files of an archive into a folder."""
    (folder / "tables").mkdir(mode=FOLDER)
    (folder / "attachments").mkdir(mode=FOLDER)

    def keep(data: bytes) -> str:
        digest = tables.digest_of(data)
        target = folder / "attachments" / digest
        if not target.exists():
            _write(target, data)
        return digest

    counted: dict[str, int] = {}
    for name, model in tables.every().items():
        target = folder / "tables" / f"{name}.jsonl"
        target.touch(mode=PRIVATE)
        columns = tables.fields(name, model)
        counted[name] = 0
        with target.open("w", encoding="utf-8") as out:
            for row in _rows(model):
                out.write(_line(tables.as_json(row, columns, keep=keep)))
                for digest in tables.stored(name, row):
                    _keep_file(folder / "attachments" / digest, digest)
                counted[name] += 1
    about = {"format": tables.FORMAT, "rows": counted}
    _write(folder / "site.json", (json.dumps(about, indent=1, sort_keys=True) + "\n").encode())
    _write(folder / "README.md", Path(__file__).with_name("format.txt").read_bytes())
    return counted


def _keep_file(target: Path, digest: str) -> None:
    """Copy an uploaded file into an archive; a row whose file was lost stays without one."""
    if target.exists():
        return
    try:
        with attachments.place().open(digest) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
    except FileNotFoundError:
        log.info(f"an uploaded file is lost: {digest}")
        return
    target.chmod(PRIVATE)


def _rows(model: type[Model]) -> Iterator[Model]:
    yield from model._default_manager.order_by("pk").iterator(chunk_size=BATCH)


def _line(value: dict[str, tables.Json]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(PRIVATE)


def _pack(folder: Path, target: Path) -> None:
    """Write a folder as a tar archive (POSIX.1-2001) that depends on nothing but what is in it."""
    with target.open("wb") as out:
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    about = tarfile.TarInfo(path.relative_to(folder).as_posix())
                    about.size, about.mode = path.stat().st_size, PRIVATE
                    with path.open("rb") as data:
                        archive.addfile(about, data)
        out.flush()
        os.fsync(out.fileno())
