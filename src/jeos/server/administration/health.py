"""How the site does, and what its administrator should do about it: decided from values alone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jeos.server.jobs.queues import Standing

LITTLE = 1 << 30  # bytes that are left on a disk which is nearly full
LITTLE_SHARE = 0.1
LATE = timedelta(minutes=10)  # since when a task is due that no worker took


@dataclass(frozen=True)
class Disk:
    """A folder, and the disk that it is on (bytes)."""

    folder: Path
    total: int
    free: int

    @property
    def nearly_full(self) -> bool:
        """Tell whether somebody should make room soon."""
        return self.free < LITTLE or self.free < self.total * LITTLE_SHARE


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, what to do about it, and the page for it (empty for none)."""

    text: str
    hint: str
    view: str = ""


def disks() -> list[Disk]:
    """Return the disks of the data folder and of uploaded files, each once."""
    found: dict[int, Disk] = {}
    for folder in (settings.DATA, settings.FILES):
        there = next(place for place in (folder, *folder.parents) if place.exists())
        usage = shutil.disk_usage(there)
        found.setdefault(there.stat().st_dev, Disk(folder, usage.total, usage.free))
    return list(found.values())


def database_bytes() -> int:
    """Return the size of the database."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        else:
            cursor.execute("SELECT pg_database_size(current_database())")
        (size,) = cursor.fetchone()
    return int(size)


def versions() -> list[tuple[str, str]]:
    """Return the versions that a report of a fault should name."""
    return [("jeos", version("jeos")), ("Django", version("django")), (connection.display_name, _database_version())]


def _database_version() -> str:
    return ".".join(str(part) for part in connection.get_database_version())


def problems(standing: Standing, disks: list[Disk], *, mail_goes_out: bool, now: datetime) -> list[Problem]:
    """Return what is wrong, the worst first."""
    found = []
    for disk in disks:
        if disk.nearly_full:
            text = _("The disk of {folder} is nearly full: {free:.1f} GiB are left.")
            text = text.format(folder=disk.folder, free=disk.free / (1 << 30))
            found.append(Problem(text, _("Make room or grow it: a full disk stops writing for everybody.")))
    late = standing.oldest is not None and standing.oldest < now - LATE
    if standing.workers == 0:
        hint = _("Start `jeos server work`: until then no mail goes out and nobody is notified.")
        found.append(Problem(_("No worker lives."), hint, "administration:jobs"))
    elif late:
        hint = _("Start more of `jeos server work`, on this host or another.")
        found.append(Problem(_("Work waits for longer than ten minutes."), hint, "administration:jobs"))
    if standing.failed:
        text = ngettext("%(num)d task failed.", "%(num)d tasks failed.", standing.failed) % {"num": standing.failed}
        hint = _("Look at the last line of the error; when its cause is gone, try again.")
        found.append(Problem(text, hint, "administration:jobs"))
    if standing.mail_given_up:
        lost = standing.mail_given_up
        text = ngettext("%(num)d mail was given up.", "%(num)d mails were given up.", lost) % {"num": lost}
        hint = _("Look at the answer of the mail server; when it is mended, send once more.")
        found.append(Problem(text, hint, "administration:jobs"))
    if not mail_goes_out:
        hint = _("Set JEOS_SERVER_MAIL: new members wait for a mail to confirm their address.")
        found.append(Problem(_("Mail is written into files and goes nowhere."), hint))
    return found
