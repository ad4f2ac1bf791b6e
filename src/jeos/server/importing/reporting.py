"""How much of each kind a dump had, how much came, and what has no place here.

run.report == {"came": {"person": 3}, "left": {"message": 1}, "unplaced": {"badge": 12}}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jeos.server.importing.models import Import, Kind

KINDS: dict[Kind, str | Promise] = {
    Kind.PERSON: _("Members"),
    Kind.ROOM: _("Categories"),
    Kind.TOPIC: _("Threads"),
    Kind.MESSAGE: _("Posts"),
    Kind.FILE: _("Files"),
    Kind.FACE: _("Pictures of members"),
    Kind.POLL: _("Polls"),
    Kind.BALLOT: _("Votes in polls"),
    Kind.REACTION: _("Reactions"),
    Kind.INTEREST: _("Followed, tracked and muted"),
}
UNPLACED: dict[str, str | Promise] = {  # what readers count, since nothing here could hold it
    "badge": _("Badges"),
    "title": _("Titles and ranks"),
    "reaction": _("Reactions with a sign that is not known here"),
    "poll": _("Polls that put options in order"),
    "tracked": _("Tracked categories and tags"),
    "picture": _("Pictures of members that lie elsewhere"),
    "private": _("Private threads"),
}


@dataclass(frozen=True)
class Line:
    """How much of one kind a dump has that was only checked, how much came, and how much did not."""

    label: str
    found: int
    came: int
    left: int


@transaction.atomic
def add(run: int, part: str, counted: Mapping[str, int]) -> None:
    """Add to one part of an import's report: "found", "came", "left" or "unplaced"."""
    found = Import.objects.select_for_update().get(pk=run)
    sums = Counter(found.report.get(part, {}))
    sums.update({name: count for name, count in counted.items() if count})
    found.report = {**found.report, part: dict(sums)}
    found.save(update_fields=["report"])


def lines(run: Import) -> list[Line]:
    """Return what came and what did not, by kind."""
    parts = [run.report.get(part, {}) for part in ("found", "came", "left")]
    rows = [Line(str(label), *(part.get(name_of(kind), 0) for part in parts)) for kind, label in KINDS.items()]
    return [line for line in rows if line.found or line.came or line.left]


def unplaced(run: Import) -> list[tuple[str, int]]:
    """Return what the dump had that nothing here can hold."""
    found = run.report.get("unplaced", {})
    return [(str(label), found[name]) for name, label in UNPLACED.items() if found.get(name)]


def name_of(kind: int) -> str:
    """Return how a report names a kind."""
    return Kind(kind).name.lower()
