"""An event's page and its schedule: as a table and as a list, what changed, who speaks."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import visitor
from jeos.server.content import feeds, following, kinds, paging
from jeos.server.content.feeds import Feed
from jeos.server.events import attending, queries
from jeos.server.events.kinds import session_cards
from jeos.server.events.models import Duty, Release, Role, Slot, Speaker
from jeos.server.events.versions import Entry, changes
from jeos.server.events.views.access import find_event, frame
from jeos.server.events.views.offline import kept

PAGE = 50  # sessions or speakers on a page
VERSIONS = 10  # versions of the schedule on a page
NEXT = 4  # sessions that an event's page shows while it goes on


@require_GET
@kept
def event(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an event: what it is, and what comes next."""
    found, who = find_event(slug, visitor(request))
    soon = queries.schedule(found).filter(public_begins__gte=timezone.now())[:NEXT]
    organisers = Duty.objects.filter(event=found, role=Role.ORGANISER).select_related("member").order_by("pk")
    context = {
        **frame(found, who, "about"),
        "tracks": list(found.tracks.order_by("position", "pk")),
        "soon": list(soon),
        "organisers": [duty.member for duty in organisers],
        "calls": found.calls(now=timezone.now()),
        "level": following.level(who.member, kinds.EVENT, found.pk) if who.member else 0,
    }
    return render(request, "events/event.html", context)


@require_GET
@kept
def schedule(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the schedule that was released last."""
    found, who = find_event(slug, visitor(request))
    sessions = list(queries.schedule(found))
    rooms = list(found.rooms.order_by("position", "pk"))
    context = {
        **frame(found, who, "schedule"),
        "days": queries.days(found, sessions, rooms),
        "sessions": {session.pk: session for session in sessions},
        "rooms": {room.pk: room for room in rooms},
        "speakers": queries.speakers(sessions),
        "own": attending.starred(who.member, found),
        "listed": request.GET.get("view") == "list",
    }
    return render(request, "events/schedule.html", context)


@require_GET
@kept
def sessions(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the sessions of an event by title, all or those of a track."""
    found, who = find_event(slug, visitor(request))
    tracks = list(found.tracks.order_by("position", "pk"))
    wanted = request.GET.get("track", "")
    track = next((one for one in tracks if str(one.pk) == wanted), None)
    rows = queries.told_of(found).filter(track=track) if track else queries.told_of(found)
    page = paging.by_name(rows, keys={"title": str, "id": int}, after=request.GET.get("after"), size=PAGE)
    context = {
        **frame(found, who, "sessions"),
        "sessions": page.rows,
        "after": page.after,
        "tracks": tracks,
        "track": track,
        "speakers": queries.speakers(page.rows),
        "own": attending.starred(who.member, found),
    }
    return render(request, "events/sessions.html", context)


@require_GET
@kept
def speakers(request: HttpRequest, slug: str) -> HttpResponse:
    """Show who speaks at an event, by handle."""
    found, who = find_event(slug, visitor(request))
    rows = Speaker.objects.filter(session__in=queries.listed(found).order_by().values("pk"), agreed=True)
    members = Member.objects.filter(pk__in=rows.values("member"))
    page = paging.by_name(members, keys={"handle": str, "id": int}, after=request.GET.get("after"), size=PAGE)
    context = {**frame(found, who, "speakers"), "speakers": page.rows, "after": page.after}
    return render(request, "events/speakers.html", context)


@require_GET
@kept
def speaker(request: HttpRequest, slug: str, handle: str) -> HttpResponse:
    """Show one who speaks at an event, and in which sessions."""
    found, who = find_event(slug, visitor(request))
    member = get_object_or_404(Member, handle=handle)
    mine = Speaker.objects.filter(member=member, agreed=True, session__event=found).values("session")
    sessions = list(queries.listed(found).filter(pk__in=mine).order_by("public_begins", "pk"))
    if not sessions:  # nobody learns who submitted what
        raise Http404
    context = {
        **frame(found, who, "speakers"),
        "speaker": member,
        "sessions": sessions,
        "speakers": queries.speakers(sessions),
        "own": attending.starred(who.member, found),
    }
    return render(request, "events/speaker.html", context)


@require_GET
@kept
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the versions of the schedule, and what changed with each."""
    found, who = find_event(slug, visitor(request))
    rows = Release.objects.filter(event=found).select_related("by")
    page = paging.newest(rows, keys={"number": int, "id": int}, after=request.GET.get("after"), size=VERSIONS)
    numbers = [number for row in page.rows for number in (row.number - 1, row.number)]
    entries: dict[int, list[Entry]] = {}
    slots = Slot.objects.filter(release__event=found, release__number__in=numbers, session__hidden=False)
    for slot in slots.select_related("release"):
        entry = Entry(slot.session_id, slot.title, slot.room, slot.begins, slot.minutes)
        entries.setdefault(slot.release.number, []).append(entry)
    shown = set(queries.listed(found).order_by().values_list("pk", flat=True))
    listed = [(row, changes(entries.get(row.number - 1, []), entries.get(row.number, []))) for row in page.rows]
    context = {**frame(found, who, "schedule"), "versions": listed, "after": page.after, "shown": shown}
    return render(request, "events/versions.html", context)


@require_GET
def feed(request: HttpRequest, slug: str, form: str) -> HttpResponse:
    """Answer with the sessions of an event that came onto its schedule last, as a feed."""
    found, _who = find_event(slug, None)
    newest = queries.told_of(found).order_by("-shown_since", "-id")
    numbers = list(newest.values_list("pk", flat=True)[: feeds.SIZE])
    cards = session_cards(numbers, None)
    items = feeds.of_cards([cards[number] for number in numbers if number in cards])
    title = f"{found.name}: {_('All sessions')}"
    return feeds.answer(request, form, Feed(title=title, url=found.get_absolute_url(), about=found.line, items=items))
