"""What the practices know of a member: for the member's page, and for taking it along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from jeos.server.accounts import activity, export, leaving
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.content import markdown
from jeos.server.practices import writing
from jeos.server.practices.models import PUBLIC, Practice, Rating, Review, State

RECENT = 20


def register() -> None:
    """Register all that is known."""
    activity.register("practices", pieces)
    export.register("practices", practices)
    export.register("practice-reviews", reviews)
    export.register("practice-ratings", ratings)
    leaving.register(forget)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return a member's last practices."""
    rows = Practice.objects.filter(author=member, hidden=False, state__in=PUBLIC).order_by("-pk")[:RECENT]
    return [
        Piece(row.title, row.get_absolute_url(), markdown.summary(row.problem), row.made, _("practice")) for row in rows
    ]


def practices(member: Member) -> Iterator[dict[str, Json]]:
    """Return all practices of a member, drafts too."""
    for row in Practice.objects.filter(author=member).order_by("pk").iterator(chunk_size=100):
        document = writing.as_written(row).document
        yield {
            "title": row.title,
            "address": row.get_absolute_url(),
            "made": row.made.isoformat(),
            "state": State(row.state).name.lower(),
            "source": document,
        }


def reviews(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member said of others' practices."""
    for row in Review.objects.filter(reviewer=member).select_related("practice").order_by("pk").iterator():
        yield {
            "practice": row.practice.title,
            "verdict": row.verdict,
            "date": row.date.isoformat(),
            "source": row.source,
        }


def ratings(member: Member) -> Iterator[dict[str, Json]]:
    """Return how a member rated practices."""
    for row in Rating.objects.filter(member=member).select_related("practice").order_by("pk").iterator():
        yield {
            "practice": row.practice.title,
            "stars": row.stars,
            "date": row.date.isoformat(),
            "reason": row.reason,
        }


def forget(member: Member) -> None:
    """Delete drafts, which nobody else has read, and the organisation, which says who somebody is."""
    Practice.objects.filter(author=member, state=State.DRAFT).delete()
    Practice.objects.filter(author=member).update(organisation="")
