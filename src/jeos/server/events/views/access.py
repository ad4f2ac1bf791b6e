"""Finding the event and session that an address names, if who asks may see them; others learn that there is nothing."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.events import rights
from jeos.server.events.models import Event, Session, Speaker
from jeos.server.events.rights import Standing


def find_event(slug: str, member: Member | None) -> tuple[Event, Standing]:
    """Return an event, and who the member is to it. Raises Http404."""
    event = get_object_or_404(Event, slug=slug)
    who = rights.standing(event, member)
    if not rights.may_see_event(event, who):
        raise Http404
    return event, who


def find_organised(slug: str, member: Member) -> tuple[Event, Standing]:
    """Return an event that the member organises. Raises Http404, and PermissionDenied where it is somebody else's."""
    event, who = find_event(slug, member)
    if not who.organises:
        raise PermissionDenied(_("This page is for the organisers of the event."))
    return event, who


def find_session(slug: str, number: int, member: Member | None) -> tuple[Session, Standing, bool]:
    """Return a session, who the member is to its event, and whether the member speaks in it. Raises Http404."""
    event, who = find_event(slug, member)
    session = get_object_or_404(
        Session.objects.select_related("author", "track", "type", "room", "public_room"), pk=number, event=event
    )
    session.event = event
    speaks = rights.speaks(session, member)
    if not rights.may_see(session, who, speaks=speaks):
        raise Http404
    return session, who, speaks


def find_spoken(slug: str, number: int, member: Member) -> Session:
    """Return a session in which the member agreed to speak. Raises Http404, and PermissionDenied for others'."""
    session, _who, _speaks = find_session(slug, number, member)
    if not Speaker.objects.filter(session=session, member=member, agreed=True).exists():
        raise PermissionDenied(_("This is for those who speak in the session."))
    return session


def frame(event: Event, who: Standing, at: str) -> dict[str, object]:
    """Return what every page of an event shows: the event, its parts, and which of them this is."""
    tabs = [
        ("about", "events:event", _("About")),
        ("schedule", "events:schedule", _("Schedule")),
        ("sessions", "events:sessions", _("All sessions")),
        ("speakers", "events:speakers", _("Speakers")),
        ("topics", "events:topics", _("Topics")),
    ]
    if who.member is not None:
        tabs.append(("agenda", "events:agenda", _("Your agenda")))
    if event.calls(now=timezone.now()) or at == "call":
        tabs.append(("call", "events:call", _("Call for sessions")))
    if who.reviews:
        tabs.append(("review", "events:review", _("Submissions")))
    if who.organises:
        tabs.append(("manage", "events:manage", _("Organise")))
    return {"event": event, "who": who, "member": who.member, "at": at, "tabs": tabs}
