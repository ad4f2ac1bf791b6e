"""Reading pages."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import following, kinds, markdown, notifications, tags
from jeos.server.content.models import Bookmark, Notification
from jeos.server.content.outline import outline
from jeos.server.wiki import links, queries, rights, rules
from jeos.server.wiki.models import START, Page
from jeos.server.wiki.views.access import elsewhere, find, frame, look

OUTLINE = 3  # headings from which on a page has a list of them
BESIDE = 8  # lines of each list beside the start page


@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Show what the wiki begins with: the page `start`, the last changes, what is wanted."""
    member = visitor(request)
    found = Page.objects.filter(name=START, hidden=False).first()
    context = {
        "page": found,
        "member": member,
        "show": "start",
        "html": links.mark_missing(found.html, links.missing(found)) if found else "",
        "changes": queries.changed_last(member, size=BESIDE),
        "wanted": queries.wanted(after=None, size=BESIDE).rows,
        "linked": queries.most_linked(size=BESIDE),
        "popular": tags.popular(),
        "may_create": rights.may_create(member, rules.current(), now=timezone.now()),
        "may_edit": found is not None and rights.may_edit(found, member, rules.current(), now=timezone.now()),
    }
    return render(request, "wiki/start.html", context)


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Show a page; where there is none, who wants it and how to write it."""
    member = visitor(request)
    found = look(name, member)
    other = elsewhere(request, name, found)
    if other is not None:
        return other
    if found is None:
        return _nothing(request, name, member)
    made = outline(links.mark_missing(found.html, links.missing(found)))
    context = {
        **frame(found, member, show="page"),
        "html": made.html,
        "headings": made.headings if len(made.headings) >= OUTLINE else (),
        **(_own(found, member) if member else {}),
    }
    return render(request, "wiki/page.html", context)


def _own(found: Page, member: Member) -> dict[str, object]:
    """Return what a page shows its reader alone."""
    about = {"kind": kinds.WIKI_PAGE, "number": found.pk, "member": member}
    return {
        "level": following.level(member, kinds.WIKI_PAGE, found.pk),
        "kept": Bookmark.objects.filter(**about).exists(),
        "told": member.unread > 0 and Notification.objects.filter(**about, seen=False).exists(),
    }


def _nothing(request: HttpRequest, name: str, member: Member | None) -> HttpResponse:
    """Say that there is no such page yet."""
    if not markdown.page_name(name):
        raise Http404
    wanted = queries.want(name)
    context = {
        "name": name,
        "title": wanted.title if wanted else name.replace("-", " ").capitalize(),
        "member": member,
        "may_create": rights.may_create(member, rules.current(), now=timezone.now()),
        "wanting": queries.wanting(name, size=BESIDE),
        "like": queries.like(name, size=BESIDE),
    }
    return render(request, "wiki/nothing.html", context, status=404)


@require_POST
@for_members
def seen(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Let what a member was told about a page count as seen."""
    notifications.see(member, about=(kinds.WIKI_PAGE, find(name, member).pk))
    return HttpResponse(status=204)
