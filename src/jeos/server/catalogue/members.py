"""What the catalogue knows of a member: for the member's page, for taking it along, and for forgetting it.

Reviews of who leaves remain, as what that member wrote does, under a handle that names nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import F
from django.utils.translation import gettext as _

from jeos.server.accounts import activity, export, leaving
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishers
from jeos.server.catalogue.models import Appliance, Review, Seat, Star, Version
from jeos.server.content import markdown

RECENT = 20


def register() -> None:
    """Register all three."""
    activity.register("catalogue", pieces)
    export.register("reviews of appliances", reviews)
    export.register("stars of appliances", stars)
    export.register("publishers", seats)
    export.register("versions of appliances", versions)
    leaving.register(forget)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return what a member published and reviewed last."""
    published = (
        Version.objects.filter(by=member, appliance__hidden=False)
        .select_related("appliance__publisher")
        .order_by("-pk")[:RECENT]
    )
    found = [
        Piece(
            f"{row.appliance.title} {row.version}",
            row.appliance.get_absolute_url(),
            row.appliance.summary,
            row.came,
            _("appliance"),
        )
        for row in published
    ]
    written = (
        Review.objects.filter(author=member, hidden=False, appliance__hidden=False)
        .select_related("appliance")
        .order_by("-pk")[:RECENT]
    )
    return found + [
        Piece(row.appliance.title, row.get_absolute_url(), markdown.opening(row.source), row.made, _("review"))
        for row in written
    ]


def reviews(member: Member) -> Iterator[dict[str, Json]]:
    """Return all reviews of a member."""
    for row in Review.objects.filter(author=member).select_related("appliance__publisher").order_by("pk"):
        yield {
            "appliance": row.appliance.get_absolute_url(),
            "version": row.runs,
            "verdict": row.get_verdict_display(),
            "made": row.made.isoformat(),
            "source": row.source,
        }


def stars(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member gave a star."""
    for row in Star.objects.filter(member=member).select_related("appliance__publisher").order_by("pk"):
        yield {"appliance": row.appliance.get_absolute_url(), "date": row.date.isoformat()}


def seats(member: Member) -> Iterator[dict[str, Json]]:
    """Return for whom a member publishes."""
    for row in Seat.objects.filter(member=member).select_related("publisher").order_by("pk"):
        yield {"publisher": row.publisher.get_absolute_url(), "since": row.since.isoformat()}


def versions(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member published."""
    rows = Version.objects.filter(by=member).select_related("appliance__publisher").order_by("pk")
    for row in rows.iterator(chunk_size=500):
        yield {"appliance": row.appliance.get_absolute_url(), "version": row.version, "date": row.came.isoformat()}


def forget(member: Member) -> None:
    """Take back the stars and seats of a member who leaves."""
    Appliance.objects.filter(pk__in=Star.objects.filter(member=member).values("appliance")).update(stars=F("stars") - 1)
    Star.objects.filter(member=member).delete()
    publishers.forget(member)
