"""Imports that are started on the administrators' page, from dumps in one folder of the site.

    starting.start("phpbb", {"file": "forum.sql", "files": "files", "faces": "", "prefix": "phpbb_", "closed": [3]},
        look=True)

Large dumps are put into the folder by who runs the site, small ones by their administrators' browsers. Only names of
what is in the folder are taken, and no link in it is followed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from jeos.core.errors import UsageError
from jeos.server.content import file_kinds
from jeos.server.importing import dumps, staging
from jeos.server.importing.gathering import RESERVE
from jeos.server.importing.models import Import

MOST = 200  # files, and folders, that are offered
DEEPEST = 3  # folders within folders


class NotKept(Exception):  # noqa: N818 - named for what a page says
    """A dump that was uploaded is not kept; `why` is "kind", "there" or "full"."""

    def __init__(self, why: str, name: str) -> None:
        super().__init__(f"{name}: {why}")
        self.why, self.name = why, name


@dataclass(frozen=True)
class Offered:
    """A file in the folder of dumps."""

    name: str
    size: int  # bytes
    changed: datetime


def folder() -> Path:
    """Return the folder of dumps."""
    return Path(settings.IMPORTS)


def offered() -> list[Offered]:
    """Return the dumps that are in the folder, by name."""
    found = []
    for entry in _entries(folder()):
        if entry.is_file(follow_symlinks=False) and entry.name.endswith(dumps.ENDINGS):
            about = entry.stat(follow_symlinks=False)
            found.append(Offered(entry.name, about.st_size, datetime.fromtimestamp(about.st_mtime, tz=UTC)))
    return found[:MOST]


def folders() -> list[str]:
    """Return the folders within the folder of dumps, outer ones first."""
    return sorted(_folders("", DEEPEST), key=lambda name: (name.count("/"), name))[:MOST]


def _folders(within: str, depth: int) -> Iterator[str]:
    for entry in _entries(folder() / within)[:MOST] if depth else ():
        if entry.is_dir(follow_symlinks=False):
            yield f"{within}{entry.name}"
            yield from _folders(f"{within}{entry.name}/", depth - 1)


def _entries(place: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, by name; nothing for one that is not there."""
    try:
        with os.scandir(place) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def keep(upload: UploadedFile[bytes]) -> str:
    """Put a dump that was uploaded into the folder; return its name there. Raises NotKept."""
    name = file_kinds.clean_name(upload.name or "").lstrip(".")
    if not name.endswith(dumps.ENDINGS):
        raise NotKept("kind", name)
    place = folder()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    if shutil.disk_usage(place).free - (upload.size or 0) < RESERVE:
        raise NotKept("full", name)
    try:
        file = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise NotKept("there", name) from None
    try:
        with os.fdopen(file, "wb") as kept:
            for block in upload.chunks():
                kept.write(block)
    except BaseException:
        (place / name).unlink()
        raise
    return name


@transaction.atomic
def start(source: str, wanted: dict[str, Any], *, look: bool) -> Import:
    """Let a worker read a dump, or only look what it has. Raises UsageError.

    Also where one is read at present: who does finds that it was begun anew.
    """
    from jeos.server.importing import tasks  # tasks import what they do

    staging.check_wanted(source, wanted.get("closed"))
    run, _new = Import.objects.get_or_create(source=source)
    if run.read is not None:
        raise staging.came(run)
    turn = run.turn + 1
    begun = {"turn": turn, "reader": "", "wanted": {**wanted, "look": look}, "report": {}, "notes": [], "total": 0}
    if not Import.objects.filter(pk=run.pk, read=None, turn=run.turn).update(
        failed=None, checked=None, error="", **begun
    ):
        raise UsageError("somebody else has just started it", hint="see how it stands")
    tasks.read.enqueue(run.pk, turn)
    return run


def again(run: Import, *, look: bool) -> Import:
    """Read the dump of an import once more, or only look. Raises UsageError where that was on the command line."""
    if not run.wanted:
        raise UsageError("its dump was read on the command line", hint="read it there once more")
    return start(run.source, run.wanted, look=look)


def read(number: int, turn: int) -> None:
    """Do what was wanted of an import, unless that was started anew or done. Raises UsageError, InputError."""
    run = Import.objects.filter(pk=number, turn=turn, read=None, checked=None, failed=None).first()
    if run is None:
        return
    try:
        dump = _dump(run.wanted)
    except UsageError as error:
        Import.objects.filter(pk=number, turn=turn, read=None).update(failed=timezone.now(), error=str(error)[:500])
        raise
    (staging.look if run.wanted["look"] else staging.read)(run.source, dump)


def _dump(wanted: dict[str, Any]) -> staging.Dump:
    """Return what was wanted, as it lies in the folder. Raises UsageError."""
    return staging.Dump(
        _chosen(wanted["file"]),
        prefix=wanted["prefix"],
        closed=frozenset(wanted["closed"] or ()),
        files=_chosen(wanted["files"]) if wanted["files"] else None,
        faces=_chosen(wanted["faces"]) if wanted["faces"] else None,
    )


def _chosen(name: str) -> Path:
    """Return what was chosen in the folder. What is not there is said by who reads it."""
    place = folder()
    for part in Path(name).parts:
        place = place / part
        if part in ("..", "/") or place.is_symlink():
            raise UsageError(f"{name} leads out of the folder of dumps", hint="no link in it is followed")
    return place
