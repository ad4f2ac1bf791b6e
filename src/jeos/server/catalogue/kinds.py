"""What appliances and their reviews are for the rest of the site: how they look in lists, and how they are hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishing, reviewing, rights
from jeos.server.catalogue.models import Appliance, Review
from jeos.server.content import kinds, markdown
from jeos.server.content.kinds import Body, Card, Kind


def register() -> None:
    """Register both."""
    kinds.register(
        Kind(
            code=kinds.APPLIANCE,
            name="appliance",
            label=gettext_lazy("appliance"),
            cards=cards,
            tagged=Appliance,
            body=body,
            set_hidden=publishing.set_hidden,
            texts=texts,
            sees=sees,
        )
    )
    kinds.register(
        Kind(
            code=kinds.REVIEW,
            name="review",
            label=gettext_lazy("review of an appliance"),
            cards=review_cards,
            body=review_body,
            set_hidden=reviewing.set_hidden,
            sees=sees_review,
        )
    )


def cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of appliances."""
    rows = Appliance.objects.filter(pk__in=numbers, hidden=False).select_related("publisher")
    return {
        row.pk: Card(
            kind=kinds.APPLIANCE,
            number=row.pk,
            title=row.title,
            url=row.get_absolute_url(),
            author="",
            date=row.updated,
            excerpt=row.summary or markdown.opening(row.source),
            note=f"{row.publisher.title} · {row.newest} · {stars_words(row.stars)}",
        )
        for row in rows
    }


def stars_words(count: int) -> str:
    """Return how many stars there are, in words."""
    return ngettext("{n} star", "{n} stars", count).format(n=count)


def texts(numbers: Sequence[int]) -> Mapping[int, str]:
    """Return the HTML of appliances."""
    return dict(Appliance.objects.filter(pk__in=numbers).values_list("pk", "html"))


def body(number: int) -> Body | None:
    """Return an appliance as moderators need it."""
    row = Appliance.objects.select_related("publisher").filter(pk=number).first()
    if row is None:
        return None
    return Body(row.by_id, row.title, row.get_absolute_url(), f"{row.summary}\n\n{row.source}", row.hidden)


def sees(number: int, member: Member) -> bool:
    """Tell whether a member sees an appliance that lists do not have: those who publish it do."""
    row = Appliance.objects.select_related("publisher").filter(pk=number).first()
    return row is not None and rights.may_see(row, member)


def review_cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of reviews of appliances that are shown."""
    rows = Review.objects.filter(pk__in=numbers, hidden=False, appliance__hidden=False).select_related(
        "appliance", "author"
    )
    return {
        row.pk: Card(
            kind=kinds.REVIEW,
            number=row.pk,
            title=_("Review of {title}").format(title=row.appliance.title),
            url=row.get_absolute_url(),
            author=row.author.handle,
            date=row.made,
            excerpt=markdown.opening(row.source),
            note=str(row.get_verdict_display()),
        )
        for row in rows
    }


def review_body(number: int) -> Body | None:
    """Return a review as moderators need it."""
    row = Review.objects.select_related("appliance").filter(pk=number).first()
    if row is None:
        return None
    title = _("Review of {title}").format(title=row.appliance.title)
    return Body(row.author_id, title, row.get_absolute_url(), row.source, row.hidden)


def sees_review(number: int, member: Member) -> bool:
    """Tell whether a member sees a review that lists do not have."""
    row = Review.objects.select_related("appliance__publisher").filter(pk=number).first()
    return row is not None and rights.may_see(row.appliance, member) and rights.may_see_review(row, member)
