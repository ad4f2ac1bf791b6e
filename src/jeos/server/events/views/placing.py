"""The organisers' schedule: where sessions are put, what is wrong with that, and releasing it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members
from jeos.server.events import queries, scheduling, versions
from jeos.server.events.forms import PlaceForm, ReleaseForm, local_text
from jeos.server.events.models import Event, Session, State
from jeos.server.events.rights import Standing
from jeos.server.events.views.access import find_organised, frame


@for_members
def placing(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Show all sessions that can be placed, what is wrong, and what a release would change."""
    event, who = find_organised(slug, member)
    return _placing(request, event, who)


def _placing(request: HttpRequest, event: Event, who: Standing, wrong: PlaceForm | None = None) -> HttpResponse:
    sessions = scheduling.working(event)
    current = scheduling.current(event)
    changes = scheduling.pending(sessions, scheduling.entries_of(current))
    rooms = list(event.rooms.order_by("position", "pk"))
    found = scheduling.find_clashes(event, sessions)
    context = {
        **frame(event, who, "manage"),
        "days": queries.working_days(event, scheduling.as_placed(sessions, {}), rooms),
        "wrong_ones": {one.number for clash in found for one in (clash.first, clash.second) if one is not None},
        "sessions": [(one, local_text(event, one.begins)) for one in sessions],
        "rooms": rooms,
        "room_names": {room.pk: room.name for room in rooms},
        "clashes": found,
        "names": scheduling.names_of_speakers(sessions),
        "changes": changes,
        "waiting": [one for one in sessions if one.begins is not None and one.state == State.ACCEPTED],
        "wrong": wrong,
        "current": current,
        "new": versions.Kind.NEW,
    }
    return render(request, "events/placing.html", context)


@require_POST
@for_members
def place(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Put a session into a room and time, or nowhere."""
    event, who = find_organised(slug, member)
    session = get_object_or_404(Session.objects.filter(event=event), pk=number)
    form = PlaceForm(request.POST, event=event)
    if not form.is_valid():
        return _placing(request, event, who, form)
    begins = form.cleaned_data["begins"]
    try:
        scheduling.place(
            session,
            room=form.cleaned_data["room"],
            begins=begins.replace(tzinfo=event.tz) if begins else None,
            minutes=form.cleaned_data["minutes"],
        )
    except ValueError:
        form.add_error(None, _("Only a session that was accepted has a place on the schedule."))
        return _placing(request, event, who, form)
    return redirect("events:placing", event.slug)


@require_POST
@for_members
def release(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Let everybody see the schedule as it is now."""
    event, _who = find_organised(slug, member)
    form = ReleaseForm(request.POST)
    if form.is_valid():
        made = scheduling.release(event, by=member, note=form.cleaned_data["note"])
        messages.success(request, _("Version {n} of the schedule is released.").format(n=made.number))
    return redirect("events:placing", event.slug)
