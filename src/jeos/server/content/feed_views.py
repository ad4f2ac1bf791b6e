"""The feeds of what spans all sections: what has a tag, what a member did."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from jeos.server.accounts import activity
from jeos.server.accounts.models import Member
from jeos.server.content import feeds, kinds, markdown, tags
from jeos.server.content.feeds import Feed, Item
from jeos.server.content.models import Tag


@require_GET
def tag(request: HttpRequest, name: str, form: str) -> HttpResponse:
    """Answer with what has a tag, of all kinds or of one."""
    found = get_object_or_404(Tag.objects.select_related("synonym_of"), name=name)
    found = found.synonym_of or found
    kind = kinds.named(request.GET.get("kind", ""))
    page = tags.page(found, after=None, size=feeds.SIZE, kind=kind.code if kind else None)
    cards = kinds.cards([(row.kind, row.number) for row in page.rows], member=None)
    feed = Feed(title=found.name, url=found.get_absolute_url(), about=found.description, items=feeds.of_cards(cards))
    return feeds.answer(request, form, feed)


@require_GET
def member(request: HttpRequest, handle: str, form: str) -> HttpResponse:
    """Answer with what a member did lately."""
    found = get_object_or_404(Member, handle=handle)
    if not found.is_active:
        raise Http404
    items = [
        Item(
            name=piece.url.strip("/").replace("#", "/"),
            title=piece.title,
            url=piece.url,
            author=found.handle,
            made=piece.date,
            html=markdown.as_html(piece.excerpt),
        )
        for piece in activity.of(found, None)[: feeds.SIZE]
    ]
    feed = Feed(title=found.shown_name, url=found.get_absolute_url(), about=found.about, items=items)
    return feeds.answer(request, form, feed)
