"""Ratings: one to five stars with a reason, one for each member, counted on the practice's row."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import audit, kinds
from jeos.server.practices.models import RATED, Practice, Rating
from jeos.server.practices.writing import hold

STARS = 5
MIDDLE, WEIGHT = 3, 2  # a practice begins as if two had given it three stars, so that one rating alone decides nothing
UNIT = 10_000  # scores are whole numbers, for cursors


def score(*, ratings: int, stars: int) -> int:
    """Return what the list of the best goes by: the mean, drawn to the middle while there are few ratings."""
    return UNIT * (stars + MIDDLE * WEIGHT) // (ratings + WEIGHT)


@transaction.atomic
def rate(practice: Practice, *, member: Member, stars: int, reason: str) -> None:
    """Rate a practice; a second rating of a member replaces the first. Raises ValueError where that cannot be."""
    locked = hold(practice)
    if locked.state not in RATED or locked.hidden or member.pk == locked.author_id or not 1 <= stars <= STARS:
        raise ValueError(f"practice {practice.pk} takes no such rating from member {member.pk}")
    Rating.objects.update_or_create(
        practice=locked, member=member, defaults={"stars": stars, "reason": reason, "date": timezone.now()}
    )
    recount(locked)
    practice.refresh_from_db()


@transaction.atomic
def set_hidden(rating: Rating, hidden: bool, *, actor: Member) -> None:
    """Hide a rating, which then counts no more, or show it again."""
    locked = hold(rating.practice)
    Rating.objects.filter(pk=rating.pk).update(hidden=hidden)
    recount(locked)
    details: dict[str, audit.Json] = {"rating": rating.pk}
    action = "rating.hide" if hidden else "rating.show"
    audit.record(actor, action, kind=kinds.PRACTICE, number=locked.pk, subject=rating.member, details=details)


def recount(practice: Practice) -> None:
    """Set what a practice's row says about its ratings to what is true. The caller holds the row."""
    shown = Rating.objects.filter(practice=practice, hidden=False)
    counted = shown.aggregate(ratings=Count("pk"), stars=Sum("stars"))
    ratings, stars = counted["ratings"], counted["stars"] or 0
    Practice.objects.filter(pk=practice.pk).update(
        ratings=ratings, stars=stars, score=score(ratings=ratings, stars=stars)
    )
