"""Lists of threads: the newest, those of a category, unread, unanswered, followed."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import following, kinds, tags
from jeos.server.content.models import Following, Level
from jeos.server.forum import categories, queries, reading, rights
from jeos.server.forum.views.access import find_category


def _listing(request: HttpRequest, member: Member | None, template: str, context: Mapping[str, object]) -> HttpResponse:
    """Return a page with a list of threads, and what stands beside it."""
    now = timezone.now()
    beside: dict[str, object] = {
        "member": member,
        "categories": categories.readable(member),
        "may_start": member is not None
        and any(rights.may_start(one, member, now=now) for one in categories.readable(member)),
        "now": now,
    }
    return render(request, template, {**context, **beside})


@require_GET
def latest(request: HttpRequest) -> HttpResponse:
    """Show the threads in which something was written last: the front page."""
    member, now = visitor(request), timezone.now()
    lines, after = queries.newest(member, after=request.GET.get("after"), now=now)
    context = {"lines": lines, "after": after, "show": "latest", "popular": tags.popular()}
    return _listing(request, member, "forum/latest.html", context)


@require_GET
def unanswered(request: HttpRequest) -> HttpResponse:
    """Show the threads without a reply."""
    member, now = visitor(request), timezone.now()
    threads = queries.threads_for(member).filter(posts=1)
    lines, after = queries.page_of_threads(threads, member, after=request.GET.get("after"), now=now)
    context = {"lines": lines, "after": after, "show": "unanswered", "popular": []}
    return _listing(request, member, "forum/latest.html", context)


@require_GET
@for_members
def unread(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the threads in which there is something that the member has not read."""
    now = timezone.now()
    threads = reading.unread(member, queries.threads_for(member), now=now)
    lines, after = queries.page_of_threads(threads, member, after=request.GET.get("after"), now=now)
    context = {"lines": lines, "after": after, "show": "unread", "popular": []}
    return _listing(request, member, "forum/latest.html", context)


@require_GET
@for_members
def followed(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the threads that the member follows."""
    now = timezone.now()
    mine = Following.objects.filter(member=member, kind=kinds.THREAD, level=Level.FOLLOWED).values("number")
    threads = queries.threads_for(member).filter(pk__in=mine)
    lines, after = queries.page_of_threads(threads, member, after=request.GET.get("after"), now=now)
    context = {"lines": lines, "after": after, "show": "followed", "popular": []}
    return _listing(request, member, "forum/latest.html", context)


@require_GET
def category(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the threads of a category, the pinned ones first."""
    member, now = visitor(request), timezone.now()
    found = find_category(slug, member)
    after = request.GET.get("after")
    lines, following_page = queries.page_of_threads(
        queries.threads_for(member, category=found), member, after=after, now=now
    )
    context = {
        "category": found,
        "pinned": [] if after else queries.pinned(found, member, now=now),
        "lines": lines,
        "after": following_page,
        "level": following.level(member, following.CATEGORY, found.pk) if member else 0,
    }
    return _listing(request, member, "forum/category.html", context)


@require_POST
@for_members
def mark_read(request: HttpRequest, member: Member) -> HttpResponse:
    """Note that the member has read everything, in one category or in all."""
    slug = request.POST.get("category", "")
    chosen = [find_category(slug, member)] if slug else categories.readable(member)
    reading.mark_all(member, chosen)
    return redirect(chosen[0] if slug else "home")
