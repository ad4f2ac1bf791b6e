"""What events know of a member: for the member's page, for taking it along, and for forgetting it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import F
from django.utils.translation import gettext as _

from jeos.server.accounts import activity, export, leaving
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.content import markdown
from jeos.server.events.models import AgendaAddress, Duty, Rating, Review, Session, Speaker, Star, Topic, TopicVote

RECENT = 20


def register() -> None:
    """Register all three."""
    activity.register("events", pieces)
    export.register("sessions", sessions)
    export.register("chosen_sessions", chosen)
    export.register("session_ratings", ratings)
    export.register("session_reviews", reviews)
    export.register("event_topics", topics)
    leaving.register(forget)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return the last sessions in which a member speaks."""
    rows = Speaker.objects.filter(
        member=member,
        agreed=True,
        session__shown=True,
        session__hidden=False,
        session__event__published=True,
        session__event__hidden=False,
    )
    return [
        Piece(
            row.session.title,
            row.session.get_absolute_url(),
            markdown.summary(row.session.source),
            row.session.shown_since or row.session.made,
            _("session"),
        )
        for row in rows.select_related("session__event").order_by("-session")[:RECENT]
    ]


def sessions(member: Member) -> Iterator[dict[str, Json]]:
    """Return the sessions that a member submitted or speaks in."""
    mine = Session.objects.filter(pk__in=Speaker.objects.filter(member=member).values("session"))
    rows = mine.union(Session.objects.filter(author=member)).order_by("pk")
    for session in Session.objects.filter(pk__in=[row.pk for row in rows]).select_related("event").order_by("pk"):
        yield {
            "title": session.title,
            "address": session.get_absolute_url(),
            "made": session.made.isoformat(),
            "state": session.get_state_display(),
            "source": session.source,
            "note": session.note,
        }


def chosen(member: Member) -> Iterator[dict[str, Json]]:
    """Return the sessions that a member chose."""
    rows = Star.objects.filter(member=member).select_related("session__event").order_by("pk")
    for row in rows.iterator(chunk_size=500):
        yield {
            "title": row.session.title,
            "address": row.session.get_absolute_url(),
            "date": row.date.isoformat(),
        }


def ratings(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member thought of sessions."""
    rows = Rating.objects.filter(member=member).select_related("session__event").order_by("pk")
    for row in rows.iterator(chunk_size=500):
        yield {
            "address": row.session.get_absolute_url(),
            "stars": row.stars,
            "words": row.words,
            "date": row.date.isoformat(),
        }


def reviews(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member wrote as a reviewer."""
    rows = Review.objects.filter(reviewer=member).select_related("session__event").order_by("pk")
    for row in rows.iterator(chunk_size=500):
        yield {
            "address": row.session.get_absolute_url(),
            "score": row.score,
            "words": row.words,
            "date": row.date.isoformat(),
        }


def topics(member: Member) -> Iterator[dict[str, Json]]:
    """Return the topics that a member suggested or voted for."""
    for topic in Topic.objects.filter(author=member).order_by("pk").iterator(chunk_size=500):
        yield {"title": topic.title, "made": topic.made.isoformat()}
    for vote in TopicVote.objects.filter(member=member).select_related("topic").order_by("pk"):
        yield {"voted_for": vote.topic.title, "date": vote.date.isoformat()}


def forget(member: Member) -> None:
    """Delete what was kept for a member alone, and what the member was for events. Votes and ratings go on counting."""
    chosen = list(Star.objects.filter(member=member).values_list("session_id", flat=True))
    Session.objects.filter(pk__in=chosen, starred__gt=0).update(starred=F("starred") - 1)
    Star.objects.filter(member=member).delete()
    AgendaAddress.objects.filter(member=member).delete()
    Duty.objects.filter(member=member).delete()
