"""Lists: all pages, recent changes, wanted pages, orphans, what links to a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from jeos.server.accounts.visitor import visitor
from jeos.server.wiki import queries, rights, rules
from jeos.server.wiki.views.access import elsewhere, find, frame

LIST = 60


def _list(request: HttpRequest, show: str, rows: object, after: str) -> HttpResponse:
    member = visitor(request)
    context = {
        "show": show,
        "rows": rows,
        "after": after,
        "member": member,
        "may_create": rights.may_create(member, rules.current(), now=timezone.now()),
    }
    return render(request, f"wiki/{show}.html", context)


@require_GET
def every(request: HttpRequest) -> HttpResponse:
    """Show all pages by name."""
    found = queries.pages(after=request.GET.get("after"), size=LIST * 2)
    return _list(request, "every", found.rows, found.after)


@require_GET
def changes(request: HttpRequest) -> HttpResponse:
    """Show what changed last."""
    found = queries.changes(visitor(request), after=request.GET.get("after"), size=LIST)
    return _list(request, "changes", found.rows, found.after)


@require_GET
def wanted(request: HttpRequest) -> HttpResponse:
    """Show which pages are linked to and not written."""
    found = queries.wanted(after=request.GET.get("after"), size=LIST)
    return _list(request, "wanted", found.rows, found.after)


@require_GET
def orphans(request: HttpRequest) -> HttpResponse:
    """Show to which pages no other links."""
    found = queries.orphans(after=request.GET.get("after"), size=LIST)
    return _list(request, "orphans", found.rows, found.after)


@require_GET
def links_here(request: HttpRequest, name: str) -> HttpResponse:
    """Show which pages link to a page."""
    member = visitor(request)
    page = find(name, member)
    other = elsewhere(request, name, page)
    if other is not None:
        return other
    found = queries.links_here(page, after=request.GET.get("after"), size=LIST)
    context = {"links": found.rows, "after": found.after, "names": list(page.redirects.order_by("name"))}
    return render(request, "wiki/links.html", {**frame(page, member, show="links"), **context})
