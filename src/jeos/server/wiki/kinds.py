"""What pages are for the rest of the site: how they look in lists, and how moderators hide them."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.kinds import Body, Card, Kind
from jeos.server.wiki import managing
from jeos.server.wiki.models import Page


def register() -> None:
    """Register pages."""
    kinds.register(
        Kind(
            code=kinds.WIKI_PAGE,
            name="wiki",
            label=gettext_lazy("wiki page"),
            cards=cards,
            tagged=Page,
            body=body,
            set_hidden=managing.set_hidden,
            texts=texts,
        )
    )


def cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of pages; hidden ones have none."""
    rows = Page.objects.filter(pk__in=numbers, hidden=False).select_related("editor")
    return {
        page.pk: Card(
            kind=kinds.WIKI_PAGE,
            number=page.pk,
            title=page.title,
            url=page.get_absolute_url(),
            author=page.editor.handle,
            date=page.edited,
            note=_("Wiki"),
        )
        for page in rows
    }


def texts(numbers: Sequence[int]) -> dict[int, str]:
    """Return the texts of pages, for feeds."""
    return dict(Page.objects.filter(pk__in=numbers).values_list("pk", "html"))


def body(number: int) -> Body | None:
    """Return a page as moderators need it; whom it concerns is who wrote what it shows."""
    page = Page.objects.filter(pk=number).first()
    return Body(page.editor_id, page.title, page.get_absolute_url(), page.source, page.hidden) if page else None
