"""The rules of the wiki: one row, asked for with each page, and therefore kept in each process for some seconds."""

from __future__ import annotations

import time

from django.db import transaction

from jeos.server.accounts.models import Member
from jeos.server.content import audit
from jeos.server.wiki.models import Level, Rules

KEPT_SECONDS = 5.0  # how long another process may not see a change

_kept: tuple[float, Rules] | None = None


def current() -> Rules:
    """Return the rules; those of a site that has decided nothing are the defaults."""
    global _kept
    now = time.monotonic()
    if _kept is None or now - _kept[0] >= KEPT_SECONDS:
        _kept = (now, Rules.objects.order_by("pk").first() or Rules())
    return _kept[1]


def forget() -> None:
    """Read them anew when they are wanted next."""
    global _kept
    _kept = None


@transaction.atomic
def change(*, edit: Level, create: Level, move: Level, actor: Member) -> None:
    """Decide how open the wiki is."""
    rules = Rules.objects.select_for_update().order_by("pk").first() or Rules()
    rules.edit, rules.create, rules.move = edit, create, move
    rules.save()
    details: dict[str, audit.Json] = {"edit": edit.name, "create": create.name, "move": move.name}
    audit.record(actor, "wiki.rules", details=details)
    forget()
