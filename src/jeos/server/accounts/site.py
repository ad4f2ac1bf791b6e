"""What administrators decide for the whole site while it runs: one row, kept in each process for some seconds."""

from __future__ import annotations

import time

from django.conf import settings
from django.db import DatabaseError, transaction

from jeos.server.accounts.models import Entry, Site

KEPT_SECONDS = 5.0  # how long another process may not see a change

_kept: tuple[float, Site] | None = None


def current() -> Site:
    """Return the decisions; those of a site that has decided nothing are the defaults."""
    global _kept
    now = time.monotonic()
    if _kept is None or now - _kept[0] >= KEPT_SECONDS:
        _kept = (now, Site.objects.order_by("pk").first() or Site())
    return _kept[1]


def forget() -> None:
    """Read them anew when they are wanted next."""
    global _kept
    _kept = None


@transaction.atomic
def change(*, name: str, entry: Entry, review: bool) -> list[str]:
    """Decide anew, and return the names of what is different now."""
    row = Site.objects.select_for_update().order_by("pk").first() or Site()
    wanted = {"name": name, "entry": entry, "review": review}
    different = [field for field, value in wanted.items() if getattr(row, field) != value]
    for field, value in wanted.items():
        setattr(row, field, value)
    row.save()
    transaction.on_commit(forget)
    forget()
    return different


def name() -> str:
    """Return what the site is called; the error page asks too, when the database may be what failed."""
    try:
        return current().name or settings.SITE_NAME
    except DatabaseError:
        return settings.SITE_NAME


class Name:
    """The site's name in templates: read when it is written into a page."""

    def __str__(self) -> str:
        return name()
