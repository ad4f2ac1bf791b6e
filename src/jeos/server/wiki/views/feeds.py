"""The wiki's lists as feeds: what changed, of all pages and of one; wanted pages; orphans."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.content import feeds, markdown
from jeos.server.content.feeds import Feed, Item
from jeos.server.marks import COLON
from jeos.server.wiki import queries
from jeos.server.wiki.models import Change, Page
from jeos.server.wiki.views.access import find


@require_GET
def changes(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with what changed last."""
    rows = queries.changes(None, after=None, size=feeds.SIZE).rows
    items = _items((change, change.page) for change in rows)
    return feeds.answer(request, form, Feed(title=_("Wiki"), url="/wiki/-/changes/", about=_("Changes"), items=items))


@require_GET
def history(request: HttpRequest, name: str, form: str) -> HttpResponse:
    """Answer with what was done to a page."""
    page = find(name, None)
    rows = queries.history(page, after=None, size=feeds.SIZE).rows
    items = _items((change, page) for change in rows)
    return feeds.answer(request, form, Feed(title=page.title, url=page.get_absolute_url(), about="", items=items))


@require_GET
def wanted(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the pages that are linked to and not written, most wanted first."""
    rows = queries.wanted(after=None, size=feeds.SIZE).rows
    wanting = queries.who_wants(row.name for row in rows)
    items = [
        Item(
            name=f"wanted/{row.name}",
            title=row.title,
            url=row.get_absolute_url(),
            author="",
            made=wanting[row.name][0].made,
            html=format_html_join("", '<p><a href="{}">{}</a></p>', _linked(wanting[row.name])),
        )
        for row in rows
        if row.name in wanting
    ]
    return feeds.answer(request, form, Feed(title=_("Wanted pages"), url="/wiki/-/wanted/", about="", items=items))


def _linked(pages: Iterable[Page]) -> list[tuple[str, str]]:
    return [(page.get_absolute_url(), page.title) for page in pages]


@require_GET
def orphans(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the pages to which no other links, last changed first."""
    items = [
        Item(
            name=f"wiki/{page.pk}",
            title=page.title,
            url=page.get_absolute_url(),
            author=page.editor.handle,
            made=page.made,
            changed=page.edited,
            html=page.html,
        )
        for page in queries.orphans(after=None, size=feeds.SIZE).rows
    ]
    return feeds.answer(request, form, Feed(title=_("Orphans"), url="/wiki/-/orphans/", about="", items=items))


def _items(changes: Iterable[tuple[Change, Page]]) -> list[Item]:
    return [
        Item(
            name=f"wiki/{page.pk}/{change.pk}",
            title=f"{page.title}{COLON} {change.get_what_display()}",
            url=f"{page.get_absolute_url()}compare/?to={change.version}"
            if change.has_text
            else page.get_absolute_url(),
            author=change.editor.handle,
            made=change.made,
            html=markdown.as_html(change.reason),
        )
        for change, page in changes
    ]
