"""What ideas are for the rest of the site: how they look in lists, and how moderators hide them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import F
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jeos.server.accounts.models import Member
from jeos.server.content import kinds, markdown
from jeos.server.content.kinds import Body, Card, Kind
from jeos.server.ideas import answering
from jeos.server.ideas.models import Idea


def register() -> None:
    """Register ideas."""
    kinds.register(
        Kind(
            code=kinds.IDEA,
            name="idea",
            label=_("idea"),
            cards=cards,
            tagged=Idea,
            body=body,
            set_hidden=answering.set_hidden,
            texts=texts,
            count_comments=count_comments,
        )
    )


def cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of ideas."""
    rows = Idea.objects.filter(pk__in=numbers, hidden=False).select_related("author")
    return {
        idea.pk: Card(
            kind=kinds.IDEA,
            number=idea.pk,
            title=idea.title,
            url=idea.get_absolute_url(),
            author=idea.author.handle,
            date=idea.made,
            excerpt=markdown.opening(idea.source),
            note=f"{idea.get_status_display()} · {votes_words(idea.votes)}",
        )
        for idea in rows
    }


def votes_words(count: int) -> str:
    """Return how many votes there are, in words."""
    return ngettext("{n} vote", "{n} votes", count).format(n=count)


def texts(numbers: Sequence[int]) -> Mapping[int, str]:
    """Return the HTML of ideas."""
    return dict(Idea.objects.filter(pk__in=numbers).values_list("pk", "html"))


def body(number: int) -> Body | None:
    """Return an idea as moderators need it."""
    idea = Idea.objects.filter(pk=number, merged_into=None).first()
    if idea is None:
        return None
    return Body(idea.author_id, idea.title, idea.get_absolute_url(), idea.source, idea.hidden)


def count_comments(number: int, change: int) -> None:
    """Add to the number of an idea's comments."""
    Idea.objects.filter(pk=number).update(comments=F("comments") + change)
