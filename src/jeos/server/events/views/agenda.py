"""A member's own agenda, and the calendars that programs subscribe to."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members
from jeos.server.events import attending, calendars, clashes, queries
from jeos.server.events.models import Event, Session
from jeos.server.events.views.access import find_event, find_session, frame
from jeos.server.events.views.offline import kept


@require_GET
@kept
@for_members
def agenda(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Show what the member chose, day by day, and what of it is at the same time."""
    found, who = find_event(slug, member)
    own = attending.starred(member, found)
    sessions = list(queries.schedule(found).filter(pk__in=own))
    chosen = {session.pk: session for session in sessions}
    pairs = clashes.overlapping(queries.public_placed(one for one in sessions if not one.cancelled))
    context = {
        **frame(found, who, "agenda"),
        "days": queries.days(found, sessions, []),
        "speakers": queries.speakers(sessions),
        "own": own,
        "clashes": [(chosen[one.number], chosen[other.number]) for one, other in pairs],
        "address": settings.ENVIRONMENT.url + attending.agenda_address(found, member),
    }
    return render(request, "events/agenda.html", context)


@require_POST
@for_members
def renew(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Let the secret address of the member's agenda be another."""
    found, _who = find_event(slug, member)
    attending.renew_agenda_address(found, member)
    messages.success(request, _("Your calendar has a new address; the old one opens nothing."))
    return redirect("events:agenda", found.slug)


@require_GET
def agenda_calendar(request: HttpRequest, slug: str, number: int, key: str) -> HttpResponse:
    """Answer with the agenda of whoever knows its secret address, as a calendar. Nothing on the way may keep it."""
    found, _who = find_event(slug, None)
    member = attending.find_agenda(found, number, key)
    if member is None:
        raise Http404
    own = attending.starred(member, found)
    sessions = list(queries.listed(found).filter(pk__in=own).order_by("public_begins", "pk"))
    name = _("{event}: your agenda").format(event=found.name)
    response = _answer(found, sessions, name=name, url=f"/events/{found.slug}/agenda/")
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
def schedule_calendar(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer with the whole schedule as a calendar."""
    found, _who = find_event(slug, None)
    return _answer(found, list(queries.schedule(found)), name=found.name, url=f"/events/{found.slug}/schedule/")


@require_GET
def session_calendar(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Answer with one session as a calendar; one that is not held any more is cancelled in it."""
    session, _who, _speaks = find_session(slug, number, None)
    return _answer(session.event, [session], name=session.title, url=session.get_absolute_url())


def _answer(event: Event, sessions: list[Session], *, name: str, url: str) -> HttpResponse:
    body = calendars.of_sessions(event, sessions, queries.speakers(sessions), name=name, url=url)
    response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'inline; filename="{event.slug}.ics"'
    return response
