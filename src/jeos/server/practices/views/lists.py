"""Lists of practices: proven ones by date and by rating, those in review, one's own."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import feeds, paging, trust
from jeos.server.content.feeds import Feed
from jeos.server.marks import COLON
from jeos.server.practices import kinds
from jeos.server.practices.models import RATED, Practice, State

PAGE = 30  # practices on a page


def proven_rows() -> QuerySet[Practice]:
    """Return the practices that were proven, those to be renewed too."""
    return Practice.objects.filter(hidden=False, state__in=RATED)


def own_rows(member: Member) -> QuerySet[Practice]:
    """Return a member's practices, in whatever state."""
    return Practice.objects.filter(author=member)


def review_rows() -> QuerySet[Practice]:
    """Return the practices that wait for peers."""
    return Practice.objects.filter(hidden=False, state=State.REVIEW)


def _listing(request: HttpRequest, show: str, rows: QuerySet[Practice], keys: dict[str, type]) -> HttpResponse:
    """Return a page with a list of practices."""
    found = rows.select_related("author").defer("context", "practice", "evidence", "html")
    page = paging.newest(found, keys=keys, after=request.GET.get("after"), size=PAGE)
    member = visitor(request)
    context = {
        "practices": page.rows,
        "after": page.after,
        "show": show,
        "member": member,
        "may_write": trust.may_write(member, now=timezone.now()),
        "needed": settings.PRACTICE_APPROVALS,
    }
    return render(request, "practices/list.html", context)


@require_GET
def proven(request: HttpRequest) -> HttpResponse:
    """Show the practices that were proven last."""
    return _listing(request, "proven", proven_rows(), {"proven": datetime, "id": int})


@require_GET
def top(request: HttpRequest) -> HttpResponse:
    """Show the practices that were rated best."""
    return _listing(request, "top", proven_rows(), {"score": int, "id": int})


@require_GET
def in_review(request: HttpRequest) -> HttpResponse:
    """Show the practices that wait for peers."""
    return _listing(request, "review", review_rows(), {"submitted": datetime, "id": int})


@require_GET
@for_members
def mine(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the member's own practices, drafts too."""
    return _listing(request, "mine", own_rows(member), {"id": int})


@require_GET
def feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the practices that were proven last as a feed."""
    return _feed(request, form, proven_rows().order_by("-proven", "-id"), title=_("Practices"), url="/practices/")


@require_GET
def top_feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the practices that were rated best as a feed."""
    rows = proven_rows().order_by("-score", "-id")
    return _feed(request, form, rows, title=f"{_('Practices')}{COLON} {_('Best rated')}", url="/practices/top/")


@require_GET
def review_feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the practices that wait for peers as a feed."""
    rows = review_rows().order_by("-submitted", "-id")
    return _feed(request, form, rows, title=_("Practices in review"), url="/practices/review/")


def _feed(request: HttpRequest, form: str, rows: QuerySet[Practice], *, title: str, url: str) -> HttpResponse:
    """Answer with practices as a feed."""
    numbers = list(rows.values_list("pk", flat=True)[: feeds.SIZE])
    cards = kinds.cards(numbers, None)
    items = feeds.of_cards([cards[number] for number in numbers if number in cards])
    return feeds.answer(request, form, Feed(title=title, url=url, about="", items=items))
