"""What practices are for the rest of the site: how they look in lists, and how moderators hide them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.content import kinds, markdown
from jeos.server.content.kinds import Body, Card, Kind
from jeos.server.practices import writing
from jeos.server.practices.models import PUBLIC, Practice


def register() -> None:
    """Register practices."""
    kinds.register(
        Kind(
            code=kinds.PRACTICE,
            name="practice",
            label=_("practice"),
            cards=cards,
            tagged=Practice,
            body=body,
            set_hidden=writing.set_hidden,
            texts=texts,
            count_comments=count_comments,
        )
    )


def cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of practices."""
    rows = Practice.objects.filter(pk__in=numbers, hidden=False, state__in=PUBLIC).select_related("author")
    return {
        practice.pk: Card(
            kind=kinds.PRACTICE,
            number=practice.pk,
            title=practice.title,
            url=practice.get_absolute_url(),
            author=practice.author.handle,
            date=practice.submitted or practice.made,
            excerpt=markdown.opening(practice.problem),
            note=f"{_('practice')} · {practice.get_state_display()}",
        )
        for practice in rows
    }


def texts(numbers: Sequence[int]) -> Mapping[int, str]:
    """Return the HTML of practices."""
    return {practice.pk: writing.whole_html(practice) for practice in Practice.objects.filter(pk__in=numbers)}


def body(number: int) -> Body | None:
    """Return a practice as moderators need it."""
    practice = Practice.objects.filter(pk=number).first()
    if practice is None:
        return None
    source = writing.as_written(practice).document
    return Body(practice.author_id, practice.title, practice.get_absolute_url(), source, practice.hidden)


def count_comments(number: int, change: int) -> None:
    """Add to the number of a practice's comments."""
    Practice.objects.filter(pk=number).update(comments=F("comments") + change)
