"""Lists of events: those to come, those that are over, and their feeds."""

from __future__ import annotations

from datetime import UTC, date, timedelta

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import visitor
from jeos.server.content import feeds, paging
from jeos.server.content.feeds import Feed
from jeos.server.events import kinds
from jeos.server.events.models import Duty, Event
from jeos.server.marks import COLON

PAGE = 30  # events on a page
KEYS: dict[str, type] = {"ends": date, "id": int}


def _today() -> date:
    """Return the day that is over for nobody: events of the whole world are in one list."""
    return timezone.now().astimezone(UTC).date() - timedelta(days=1)


def coming_rows() -> QuerySet[Event]:
    """Return the events that are going on or to come."""
    return Event.objects.filter(published=True, hidden=False, ends__gte=_today())


def past_rows() -> QuerySet[Event]:
    """Return the events that are over."""
    return Event.objects.filter(published=True, hidden=False, ends__lt=_today())


@require_GET
def coming(request: HttpRequest) -> HttpResponse:
    """Show the events that are going on or to come, the next first; and those that the member prepares."""
    member = visitor(request)
    page = paging.by_name(coming_rows(), keys=KEYS, after=request.GET.get("after"), size=PAGE)
    context = {"events": page.rows, "after": page.after, "show": "coming", "mine": preparing(member), "member": member}
    return render(request, "events/list.html", context)


@require_GET
def past(request: HttpRequest) -> HttpResponse:
    """Show the events that are over, the last first."""
    page = paging.newest(past_rows(), keys=KEYS, after=request.GET.get("after"), size=PAGE)
    context = {"events": page.rows, "after": page.after, "show": "past", "mine": [], "member": visitor(request)}
    return render(request, "events/list.html", context)


def preparing(member: Member | None) -> list[Event]:
    """Return the events that a member works for and that nobody else sees yet."""
    if member is None:
        return []
    rows = Event.objects.filter(published=False, hidden=False)
    if not member.moderates:
        rows = rows.filter(pk__in=Duty.objects.filter(member=member).values("event"))
    return list(rows.order_by("begins", "pk")[:PAGE])


@require_GET
def feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the newest events as a feed."""
    newest = Event.objects.filter(published=True, hidden=False).order_by("-made", "-id")
    return _feed(request, form, newest, title=_("Events"), url="/events/")


@require_GET
def past_feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the events that were over last as a feed."""
    rows = past_rows().order_by("-ends", "-id")
    return _feed(request, form, rows, title=f"{_('Events')}{COLON} {_('Past')}", url="/events/past/")


def _feed(request: HttpRequest, form: str, rows: QuerySet[Event], *, title: str, url: str) -> HttpResponse:
    """Answer with events as a feed."""
    numbers = list(rows.values_list("pk", flat=True)[: feeds.SIZE])
    cards = kinds.event_cards(numbers, None)
    items = feeds.of_cards([cards[number] for number in numbers if number in cards])
    return feeds.answer(request, form, Feed(title=title, url=url, about="", items=items))
