"""The history of a page: its versions, one of them, and what is different between two."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import visitor
from jeos.server.content import lines, texts
from jeos.server.wiki import queries
from jeos.server.wiki.models import Change, Page, What
from jeos.server.wiki.views.access import elsewhere, find, frame
from jeos.server.wiki.writing import source_of

LIST = 50
TEXTS = (What.MADE, What.EDITED, What.REVERTED)


@require_GET
def history(request: HttpRequest, name: str) -> HttpResponse:
    """Show what was done to a page, and let two versions be chosen."""
    member = visitor(request)
    page = find(name, member)
    other = elsewhere(request, name, page)
    if other is not None:
        return other
    found = queries.history(page, after=request.GET.get("after"), size=LIST)
    versions = [change.version for change in found.rows if change.has_text]
    context = {"changes": found.rows, "after": found.after, "versions": versions}
    return render(request, "wiki/history.html", {**frame(page, member, show="history"), **context})


@require_GET
def version(request: HttpRequest, name: str, version: int) -> HttpResponse:
    """Show a page as it was."""
    member = visitor(request)
    page = find(name, member)
    change = find_version(page, version, member)
    source = source_of(page, version)
    context = {"change": change, "source": source, "html": texts.render(source)[0].html}
    return render(request, "wiki/version.html", {**frame(page, member, show="history"), **context})


@require_GET
def compare(request: HttpRequest, name: str) -> HttpResponse:
    """Show what is different between two versions: the lines of one text with both, or beside each other."""
    member = visitor(request)
    page = find(name, member)
    new = _number(request, "to", page.version)
    old = _number(request, "from", new - 1)
    if old > new:
        old, new = new, old
    before = find_version(page, old, member) if old else None
    after = find_version(page, new, member)
    pairs = lines.near(lines.compare(source_of(page, old) if old else "", source_of(page, new)))
    context = {
        "old": old,
        "new": new,
        "before": before,
        "after": after,
        "pairs": pairs,
        "view": "side" if request.GET.get("view") == "side" else "one",
    }
    return render(request, "wiki/compare.html", {**frame(page, member, show="history"), **context})


def _number(request: HttpRequest, field: str, default: int) -> int:
    """Return a version that an address names. Raises Http404 for what is none."""
    said = request.GET.get(field, "")
    if said and not (said.isascii() and said.isdecimal() and len(said) < 9):
        raise Http404
    return int(said) if said else default


def find_version(page: Page, version: int, member: Member | None) -> Change:
    """Return the change that made a version. Raises Http404, and PermissionDenied for one that is hidden."""
    made = Change.objects.filter(page=page, version=version, what__in=TEXTS).select_related("editor").first()
    if made is None:
        raise Http404
    if made.hidden and not (member is not None and member.moderates):
        raise PermissionDenied(_("Moderators have hidden this version."))
    return made
