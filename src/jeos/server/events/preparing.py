"""What organisers decide about an event: making and changing it, its tracks, rooms and types, who works for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from jeos.server.accounts.models import Member
from jeos.server.content import audit, kinds, search, texts
from jeos.server.content.markdown import Rendered
from jeos.server.content.models import Reference
from jeos.server.events import scheduling, submitting
from jeos.server.events.models import Duty, Event, Role, Room, Session, SessionType, Track

Parts = Track | Room | SessionType
PARTS: Mapping[str, type[Parts]] = {
    "track": Track,
    "room": Room,
    "type": SessionType,
}
MOST_PARTS = 40  # tracks, rooms or types of one event


@dataclass(frozen=True)
class Wanted:
    """An event as its organisers write it."""

    slug: str
    name: str
    begins: date
    ends: date
    zone: str
    line: str = ""
    place: str = ""
    source: str = ""
    published: bool = False
    call_opens: datetime | None = None
    call_closes: datetime | None = None
    call_source: str = ""


@transaction.atomic
def make(wanted: Wanted, *, author: Member) -> Event:
    """Make an event; who makes it organises it."""
    event = Event(author=author, begins=wanted.begins, ends=wanted.ends)
    _write(event, wanted)
    Duty.objects.create(event=event, member=author, role=Role.ORGANISER)
    audit.record(author, "event.make", kind=kinds.EVENT, number=event.pk, details={"name": event.name})
    return event


@transaction.atomic
def change(event: Event, wanted: Wanted, *, actor: Member) -> None:
    """Change an event. Search finds it, and its sessions, while everybody may see it."""
    was = event.shown
    _write(event, wanted)
    if was != event.shown:
        action = "event.publish" if event.shown else "event.unpublish"
        audit.record(actor, action, kind=kinds.EVENT, number=event.pk)
        _let_sessions_be_found(event)


def _write(event: Event, wanted: Wanted) -> None:
    rendered, _mentioned = texts.fill(event, wanted.source)
    event.slug, event.name, event.line, event.place = wanted.slug, wanted.name, wanted.line, wanted.place
    event.begins, event.ends, event.zone, event.published = wanted.begins, wanted.ends, wanted.zone, wanted.published
    event.call_opens, event.call_closes, event.call_source = wanted.call_opens, wanted.call_closes, wanted.call_source
    event.call_html = texts.render(wanted.call_source)[0].html if wanted.call_source else ""
    event.save()
    Reference.note(kinds.EVENT, event.pk, wanted.call_source)
    _let_event_be_found(event, rendered)


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide an event with all its pages, or show it again."""
    event = Event.objects.select_for_update(no_key=True).get(pk=number)
    event.hidden = hidden
    Event.objects.filter(pk=number).update(hidden=hidden)
    _let_event_be_found(event, texts.render(event.source)[0])
    _let_sessions_be_found(event)


def _let_event_be_found(event: Event, rendered: Rendered) -> None:
    """Let search know an event as it is now, or forget it."""
    if not event.shown:
        search.index().remove([(kinds.EVENT, event.pk)])
        return
    body = "\n".join([event.line, event.place, rendered.plain])
    entry = search.Entry(
        kind=kinds.EVENT, number=event.pk, head=True, date=event.made, author=None, title=event.name, body=body
    )
    search.index().put([entry])


def _let_sessions_be_found(event: Event) -> None:
    """Let search and tags know the shown sessions of an event, or forget them."""
    for session in Session.objects.filter(event=event, shown=True, hidden=False).select_related("event"):
        submitting.let_be_found(session)


@transaction.atomic
def save_part(part: Parts, *, name: str, position: int, value: int | None) -> None:
    """Save a track, room or type; `value` is the hue of a track, the capacity of a room, the minutes of a type.

    The new name of a room is the new place of its sessions, which calendars must hear of.
    """
    renamed = part.pk is not None and part.name != name
    part.name, part.position = name, position
    if isinstance(part, Track):
        part.hue = value or 0
    elif isinstance(part, Room):
        part.capacity = value
    else:
        part.minutes = value or part.minutes
    part.save()
    if renamed and isinstance(part, Room):
        scheduling.let_calendars_look(Session.objects.filter(event=part.event, public_room=part, scheduled=True))


def remove_part(part: Parts) -> None:
    """Remove a track, room or type; sessions that had it have none."""
    part.delete()


@transaction.atomic
def appoint(event: Event, member: Member, role: Role, *, actor: Member) -> None:
    """Let a member work for an event."""
    _duty, made = Duty.objects.get_or_create(event=event, member=member, role=role)
    if made:
        details: dict[str, audit.Json] = {"role": role.name}
        audit.record(actor, "event.appoint", kind=kinds.EVENT, number=event.pk, subject=member, details=details)


@transaction.atomic
def dismiss(duty: Duty, *, actor: Member) -> None:
    """Let a member work for an event no longer. Raises ValueError for its last organiser."""
    organisers = Duty.objects.select_for_update().filter(event=duty.event, role=Role.ORGANISER)
    if duty.role == Role.ORGANISER and len(organisers) == 1:
        raise ValueError(f"member {duty.member_id} is the last organiser of event {duty.event_id}")
    details: dict[str, audit.Json] = {"role": Role(duty.role).name}
    number, subject = duty.event_id, duty.member
    duty.delete()
    audit.record(actor, "event.dismiss", kind=kinds.EVENT, number=number, subject=subject, details=details)
