"""Stars and reviews: one of each for a member and appliance, counted on the appliance's row."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.catalogue.models import Appliance, Review, Star, Verdict, Version
from jeos.server.content import following, kinds, moderation, search, texts, trust


@transaction.atomic
def star(appliance: Appliance, member: Member, *, wanted: bool) -> None:
    """Give an appliance a star, or take it back."""
    Appliance.objects.select_for_update(no_key=True).get(pk=appliance.pk)
    if wanted:
        Star.objects.get_or_create(appliance=appliance, member=member)
    else:
        Star.objects.filter(appliance=appliance, member=member).delete()
    appliance.stars = Star.objects.filter(appliance=appliance).count()
    Appliance.objects.filter(pk=appliance.pk).update(stars=appliance.stars)


def starred(member: Member | None, numbers: list[int]) -> set[int]:
    """Return which of some appliances have a member's star."""
    if member is None:
        return set()
    return set(Star.objects.filter(member=member, appliance__in=numbers).values_list("appliance_id", flat=True))


@transaction.atomic
def review(appliance: Appliance, *, author: Member, runs: str, verdict: Verdict, source: str) -> Review:
    """Write a review, or change one's own. Raises ValueError for a version that there is not."""
    Appliance.objects.select_for_update(no_key=True).get(pk=appliance.pk)
    if not Version.objects.filter(appliance=appliance, version=runs).exists():
        raise ValueError(f"appliance {appliance.pk} has no version {runs}")
    found = Review.objects.filter(appliance=appliance, author=author).first()
    if found is None:
        found = _first(appliance, author=author, runs=runs, verdict=verdict, source=source)
    else:
        _change(found, runs=runs, verdict=verdict, source=source)
    recount(appliance)
    return found


def _first(appliance: Appliance, *, author: Member, runs: str, verdict: Verdict, source: str) -> Review:
    found = Review(appliance=appliance, author=author, runs=runs, verdict=verdict)
    rendered, mentioned = texts.fill(found, source)
    held = trust.reason_to_wait(
        author,
        source=source,
        plain=rendered.plain,
        links=rendered.links,
        mentions=len(mentioned),
        what="review",
    )
    found.hidden = bool(held)
    found.save()
    trust.count(author, now=found.made)
    following.follow_once(author.pk, kinds.APPLIANCE, appliance.pk)
    if held:
        moderation.hold(kinds.REVIEW, found.pk, author=author.pk, why=held)
    else:
        search.index().put([entry(found)], new=True)
        from jeos.server.catalogue import tasks  # tasks import what writes, to be able to write themselves

        tasks.announce_review.enqueue(found.pk)
    return found


def _change(found: Review, *, runs: str, verdict: Verdict, source: str) -> None:
    """Change a review; what it said stays in its history."""
    if source != found.source:
        old = texts.Version(source=found.source, editor=found.author_id, made=found.made)
        found.version = texts.revise(
            kinds.REVIEW, found.pk, old=old, new=texts.Version(source=source), editor=found.author
        )
    texts.fill(found, source)
    found.runs, found.verdict, found.edited = runs, verdict, timezone.now()
    found.save()
    if not found.hidden:
        search.index().put([entry(found)])


def entry(found: Review) -> search.Entry:
    """Return what search knows of a review."""
    return search.Entry(
        kind=kinds.REVIEW,
        number=found.pk,
        head=False,
        date=found.made,
        author=found.author_id,
        body=texts.render(found.source)[0].plain,
    )


def recount(appliance: Appliance) -> None:
    """Set what an appliance's row says about its reviews to what is true. The caller holds the row."""
    shown = Review.objects.filter(appliance=appliance, hidden=False)
    appliance.reviews = shown.count()
    appliance.recommended = shown.exclude(verdict=Verdict.BAD).count()
    Appliance.objects.filter(pk=appliance.pk).update(reviews=appliance.reviews, recommended=appliance.recommended)


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide a review, which then counts no more, or show it again."""
    found = Review.objects.select_related("appliance", "author").get(pk=number)
    Appliance.objects.select_for_update(no_key=True).get(pk=found.appliance_id)
    Review.objects.filter(pk=number).update(hidden=hidden)
    recount(found.appliance)
    if hidden:
        search.index().remove([(kinds.REVIEW, number)])
    else:
        search.index().put([entry(found)])
