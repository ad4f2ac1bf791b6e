"""Lists of ideas: trending, most votes, newest, by status, one's own votes; and the roadmap."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import feeds, paging, trust
from jeos.server.content.feeds import Feed
from jeos.server.ideas import kinds, voting
from jeos.server.ideas.models import Idea, Status, Vote
from jeos.server.marks import COLON

PAGE = 30  # ideas on a page
COLUMN = 12  # ideas in a column of the roadmap
KEYS: dict[str, dict[str, type]] = {
    "trending": {"trend": int, "id": int},
    "top": {"votes": int, "id": int},
    "new": {"made": datetime, "id": int},
}


def _listing(request: HttpRequest, show: str, rows: QuerySet[Idea], keys: dict[str, type]) -> HttpResponse:
    """Return a page with a list of ideas."""
    member = visitor(request)
    page = paging.newest(rows.select_related("author"), keys=keys, after=request.GET.get("after"), size=PAGE)
    context = {
        "ideas": page.rows,
        "after": page.after,
        "show": show,
        "own": voting.own(member, [idea.pk for idea in page.rows]),
        **beside(member),
    }
    return render(request, "ideas/list.html", context)


def beside(member: Member | None) -> dict[str, object]:
    """Return what stands beside lists of ideas: how many votes the member has, and whether there may be a new idea."""
    return {
        "member": member,
        "may_write": trust.may_write(member, now=timezone.now()),
        "left": voting.left(member) if member else 0,
        "all_votes": settings.IDEA_VOTES,
        "statuses": [(status.name.lower(), status.label) for status in Status if status != Status.OPEN],
    }


@require_GET
def trending(request: HttpRequest) -> HttpResponse:
    """Show the ideas that many voted for lately."""
    return _listing(request, "trending", Idea.objects.filter(hidden=False, closed=False), KEYS["trending"])


@require_GET
def top(request: HttpRequest) -> HttpResponse:
    """Show the ideas with the most votes."""
    return _listing(request, "top", Idea.objects.filter(hidden=False, closed=False), KEYS["top"])


@require_GET
def new(request: HttpRequest) -> HttpResponse:
    """Show the newest ideas, closed ones too."""
    return _listing(request, "new", Idea.objects.filter(hidden=False), KEYS["new"])


@require_GET
def by_status(request: HttpRequest, name: str) -> HttpResponse:
    """Show the ideas that stand so, those with the most votes first."""
    return _listing(request, name, Idea.objects.filter(hidden=False, status=_status(name)), KEYS["top"])


def _status(name: str) -> Status:
    """Return the status with this name. Raises Http404."""
    found = next((status for status in Status if status.name.lower() == name), None)
    if found is None:
        raise Http404
    return found


@require_GET
@for_members
def mine(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what the member voted for, the newest vote first."""
    rows = Vote.objects.filter(member=member, idea__hidden=False).select_related("idea__author")
    page = paging.newest(rows, keys={"date": datetime, "id": int}, after=request.GET.get("after"), size=PAGE)
    ideas = [vote.idea for vote in page.rows]
    context = {
        "ideas": ideas,
        "after": page.after,
        "show": "mine",
        "own": {idea.pk for idea in ideas},
        **beside(member),
    }
    return render(request, "ideas/list.html", context)


@require_GET
def roadmap(request: HttpRequest) -> HttpResponse:
    """Show what is planned, what is being done and what is done, side by side."""
    columns = []
    for status in (Status.PLANNED, Status.STARTED, Status.DONE):
        order = "-answered" if status == Status.DONE else "-votes"
        rows = Idea.objects.filter(hidden=False, status=status).order_by(order, "-id")[: COLUMN + 1]
        columns.append((status.name.lower(), status.label, list(rows[:COLUMN]), len(rows) > COLUMN))
    return render(request, "ideas/roadmap.html", {"columns": columns, "show": "roadmap", **beside(visitor(request))})


@require_GET
def trending_feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the ideas that many voted for lately as a feed."""
    rows = Idea.objects.filter(hidden=False, closed=False).order_by("-trend", "-id")
    return _feed(request, form, rows, title=f"{_('Ideas')}{COLON} {_('Trending')}", url="/ideas/")


@require_GET
def top_feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the ideas with the most votes as a feed."""
    rows = Idea.objects.filter(hidden=False, closed=False).order_by("-votes", "-id")
    return _feed(request, form, rows, title=f"{_('Ideas')}{COLON} {_('Most wanted')}", url="/ideas/top/")


@require_GET
def new_feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the newest ideas as a feed."""
    newest = Idea.objects.filter(hidden=False).order_by("-made", "-id")
    return _feed(request, form, newest, title=_("Ideas"), url="/ideas/new/")


@require_GET
def status_feed(request: HttpRequest, name: str, form: str) -> HttpResponse:
    """Answer with the ideas that came to stand so last, as a feed."""
    status = _status(name)
    rows = Idea.objects.filter(hidden=False, status=status).order_by("-answered", "-id")
    return _feed(request, form, rows, title=f"{_('Ideas')}{COLON} {status.label}", url=f"/ideas/status/{name}/")


def _feed(request: HttpRequest, form: str, rows: QuerySet[Idea], *, title: str, url: str) -> HttpResponse:
    """Answer with ideas as a feed."""
    numbers = list(rows.values_list("pk", flat=True)[: feeds.SIZE])
    cards = kinds.cards(numbers, None)
    items = feeds.of_cards([cards[number] for number in numbers if number in cards])
    return feeds.answer(request, form, Feed(title=title, url=url, about="", items=items))
