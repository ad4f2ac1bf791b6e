"""What the ideas know of a member: for the member's page, and for taking it along.

Votes of who leaves remain, as what that member wrote does: they count, under a handle that names nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from jeos.server.accounts import activity, export
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.content import markdown
from jeos.server.ideas.models import Idea, Vote

RECENT = 20


def register() -> None:
    """Register both."""
    activity.register("ideas", pieces)
    export.register("ideas", ideas)
    export.register("votes", votes)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return a member's last ideas."""
    rows = Idea.objects.filter(author=member, hidden=False).order_by("-pk")[:RECENT]
    return [
        Piece(idea.title, idea.get_absolute_url(), markdown.opening(idea.source), idea.made, _("idea")) for idea in rows
    ]


def ideas(member: Member) -> Iterator[dict[str, Json]]:
    """Return all ideas of a member."""
    for idea in Idea.objects.filter(author=member).order_by("pk").iterator(chunk_size=500):
        yield {
            "title": idea.title,
            "address": idea.get_absolute_url(),
            "made": idea.made.isoformat(),
            "source": idea.source,
        }


def votes(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member voted for."""
    for vote in Vote.objects.filter(member=member).select_related("idea").order_by("pk").iterator(chunk_size=500):
        yield {"title": vote.idea.title, "address": vote.idea.get_absolute_url(), "date": vote.date.isoformat()}
