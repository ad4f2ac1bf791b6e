"""The lists of the wiki, by key; none counts, and none asks for each of its lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from jeos.server.accounts.models import Member
from jeos.server.content import paging
from jeos.server.wiki.models import START, Change, Link, Page, Wanted

NEWEST = {"made": datetime, "id": int}


def pages(*, after: str | None, size: int) -> paging.Page[Page]:
    """Return pages by name."""
    return paging.by_name(Page.objects.filter(hidden=False), keys={"name": str}, after=after, size=size)


def changes(member: Member | None, *, after: str | None, size: int) -> paging.Page[Change]:
    """Return what changed last, of all pages that somebody may see."""
    rows = Change.objects.select_related("page", "editor")
    if member is None or not member.moderates:
        rows = rows.filter(page__hidden=False)
    return paging.newest(rows, keys=NEWEST, after=after, size=size)


def changed_last(member: Member | None, *, size: int) -> list[Change]:
    """Return the last changes of different pages; fewer than `size` where few pages changed very often."""
    newest: dict[int, Change] = {}
    for change in changes(member, after=None, size=size * 5).rows:
        newest.setdefault(change.page_id, change)
    return list(newest.values())[:size]


def history(page: Page, *, after: str | None, size: int) -> paging.Page[Change]:
    """Return what was done to a page, newest first."""
    rows = Change.objects.filter(page=page).select_related("editor")
    return paging.newest(rows, keys=NEWEST, after=after, size=size)


def orphans(*, after: str | None, size: int) -> paging.Page[Page]:
    """Return the pages to which no other links, last changed first."""
    rows = Page.objects.filter(hidden=False, incoming=0).exclude(name=START).select_related("editor")
    return paging.newest(rows, keys={"edited": datetime, "id": int}, after=after, size=size)


def wanted(*, after: str | None, size: int) -> paging.Page[Wanted]:
    """Return the names that pages link to and that nobody has written, most wanted first."""
    return paging.newest(Wanted.objects.all(), keys={"uses": int, "id": int}, after=after, size=size)


def who_wants(names: Iterable[str]) -> dict[str, list[Page]]:
    """Return the pages that link to names which no page has, by name, the first that did first; with one query."""
    found: dict[str, list[Page]] = {}
    rows = Link.objects.filter(name__in=list(names), page=None, source__hidden=False).select_related("source")
    for link in rows.order_by("pk"):
        found.setdefault(link.name, []).append(link.source)
    return found


def most_linked(*, size: int) -> list[Page]:
    """Return the pages to which most others link."""
    rows = Page.objects.filter(hidden=False, incoming__gt=0).exclude(name=START)
    return list(rows.order_by("-incoming", "-pk")[:size])


def links_here(page: Page, *, after: str | None, size: int) -> paging.Page[Link]:
    """Return the links that lead to a page, also by names that it had before."""
    rows = Link.objects.filter(page=page).exclude(source=page).select_related("source")
    return paging.newest(rows, keys={"id": int}, after=after, size=size)


def want(name: str) -> Wanted | None:
    """Return who wants a page that does not exist, if anybody does."""
    return Wanted.objects.filter(name=name).first()


def wanting(name: str, *, size: int) -> list[Page]:
    """Return pages that link to a name which no page has."""
    rows = Link.objects.filter(name=name, page=None).select_related("source")
    return [link.source for link in rows.order_by("-pk")[:size]]


def like(name: str, *, size: int) -> list[Page]:
    """Return the pages whose names begin as this one does, in the order of names."""
    first = name.partition("-")[0]
    return list(Page.objects.filter(hidden=False, name__startswith=first).order_by("name")[:size])
