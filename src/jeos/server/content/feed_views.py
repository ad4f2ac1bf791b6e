"""The feeds of what spans all sections: what has a tag, what a member did, what a search finds."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts import activity
from jeos.server.accounts.models import Member
from jeos.server.content import feeds, kinds, limits, markdown, search, tags
from jeos.server.content.areas import closed_areas
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


@require_GET
def found(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with what a search finds for a visitor, the newest first. Raises TooOften."""
    text = request.GET.get("q", "").strip()[:300]
    query = search.parse(text)
    hits: list[search.Hit] = []
    if not query.empty:
        limits.use("search", address=request.META.get("REMOTE_ADDR", ""))
        hits = search.index().find(query, limit=feeds.SIZE, hidden_areas=closed_areas(None))
    cards = kinds.cards([(hit.kind, hit.number) for hit in hits], member=None)
    items = feeds.of_cards(sorted(cards, key=lambda card: card.date, reverse=True))
    title = _("Search: {text}").format(text=text)
    feed = Feed(title=title, url=f"/search/?{urlencode({'q': text})}", about="", items=items)
    response = feeds.answer(request, form, feed)
    response["Cache-Control"] = "private"  # counted against a limit, and so not to be shared
    return response
