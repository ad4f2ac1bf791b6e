"""The schedule: placing sessions, what is wrong with that, and releasing a version that everybody sees."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import audit, kinds
from jeos.server.events import clashes, versions
from jeos.server.events.clashes import Clash
from jeos.server.events.models import Event, Release, Room, Session, Slot, Speaker, State
from jeos.server.events.models.sessions import PLACEABLE
from jeos.server.events.placed import Placed
from jeos.server.events.submitting import let_be_found
from jeos.server.events.versions import Change, Entry

SHORTEST, LONGEST = 5, 24 * 60  # minutes of a session


@transaction.atomic
def place(session: Session, *, room: Room | None, begins: datetime | None, minutes: int) -> None:
    """Put a session into a room (None: everywhere) and time, or nowhere. Raises ValueError where that cannot be."""
    if not SHORTEST <= minutes <= LONGEST or (room is not None and room.event_id != session.event_id):
        raise ValueError(f"session {session.pk} cannot be in room {room} for {minutes} minutes")
    if begins is not None and session.state not in PLACEABLE:
        raise ValueError(f"session {session.pk} was not accepted")
    session.room, session.begins, session.minutes = room, begins, minutes
    Session.objects.filter(pk=session.pk).update(room=room, begins=begins, minutes=minutes)


def working(event: Event) -> list[Session]:
    """Return the sessions that can be placed, those with a time first and by it."""
    rows = Session.objects.filter(event=event, state__in=PLACEABLE, hidden=False)
    found = list(rows.select_related("room", "track", "event"))
    return sorted(found, key=lambda one: (one.begins is None, one.begins or one.made, one.pk))


def speakers_of(numbers: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return the numbers of the members who speak, by session, with one query."""
    found: dict[int, set[int]] = {}
    for session, member in Speaker.objects.filter(session__in=list(numbers)).values_list("session_id", "member_id"):
        found.setdefault(session, set()).add(member)
    return {session: frozenset(members) for session, members in found.items()}


def as_placed(sessions: Iterable[Session], speakers: dict[int, frozenset[int]]) -> list[Placed]:
    """Return working sessions that have a time as values."""
    return [
        Placed(
            number=one.pk,
            title=one.title,
            begins=one.begins,
            minutes=one.minutes,
            room=one.room_id,
            speakers=speakers.get(one.pk, frozenset()),
            wanted=one.starred,
        )
        for one in sessions
        if one.begins is not None
    ]


def find_clashes(event: Event, sessions: Iterable[Session]) -> list[Clash]:
    """Return what is wrong with where sessions have been put, with two queries."""
    sessions = list(sessions)
    placed = as_placed(sessions, speakers_of(one.pk for one in sessions))
    capacities = {room.pk: room.capacity for room in event.rooms.all() if room.capacity is not None}
    return clashes.find(placed, first=event.begins, last=event.ends, zone=event.tz, capacities=capacities)


def pending(sessions: Iterable[Session], current: Iterable[Entry]) -> list[Change]:
    """Return what a release would change: sessions as they are placed now against the version that is seen."""
    return versions.changes(current, [_entry(one) for one in sessions if _ready(one)])


def _ready(session: Session) -> bool:
    """Tell whether a release takes a session: one that has a time, and whose speakers come."""
    return session.begins is not None and session.state == State.CONFIRMED and not session.hidden


def _entry(session: Session) -> Entry:
    assert session.begins is not None
    room = session.room.name if session.room else ""
    return Entry(session.pk, session.title, room, session.begins, session.minutes)


def entries_of(release: Release | None) -> list[Entry]:
    """Return what a version of the schedule had."""
    if release is None:
        return []
    return [
        Entry(slot.session_id, slot.title, slot.room, slot.begins, slot.minutes)
        for slot in Slot.objects.filter(release=release)
    ]


def current(event: Event) -> Release | None:
    """Return the version that everybody sees, if there is one."""
    return Release.objects.filter(event=event, number=event.version).first() if event.version else None


@transaction.atomic
def release(event: Event, *, by: Member, note: str = "", now: datetime | None = None) -> Release:
    """Let everybody see the schedule as it is placed now. Sessions whose speakers have not confirmed stay out."""
    now = now or timezone.now()
    held = Event.objects.select_for_update(no_key=True).get(pk=event.pk)
    sessions = [one for one in working(held) if _ready(one)]
    made = Release.objects.create(event=held, number=held.version + 1, note=note, by=by, date=now)
    Slot.objects.bulk_create([_slot(made, one) for one in sessions])
    for one in sessions:
        _publish(one, now=now)
    numbers = [one.pk for one in sessions]
    dropped = Session.objects.filter(event=held, scheduled=True).exclude(pk__in=numbers)
    dropped.update(scheduled=False, sequence=F("sequence") + 1, changed=now)
    Event.objects.filter(pk=held.pk).update(version=made.number, released=now)
    event.version, event.released = made.number, now
    audit.record(by, "event.release", kind=kinds.EVENT, number=held.pk, details={"version": made.number})
    from jeos.server.events import tasks  # tasks import what writes, to be able to write themselves

    tasks.announce_release.enqueue(made.pk)
    return made


def _slot(release: Release, session: Session) -> Slot:
    entry = _entry(session)
    return Slot(
        release=release,
        session=session,
        title=entry.title,
        room=entry.room,
        begins=entry.begins,
        minutes=entry.minutes,
    )


def _publish(session: Session, *, now: datetime) -> None:
    """Let a session be on the schedule as it is placed; calendars look again only if that is news."""
    was = (session.public_room_id, session.public_begins, session.public_minutes)
    new = (session.room_id, session.begins, session.minutes)
    first = not session.shown
    if session.scheduled and was == new:
        return
    session.sequence += 0 if first else 1
    session.public_room, session.public_begins, session.public_minutes = session.room, session.begins, session.minutes
    session.shown, session.scheduled, session.changed = True, True, now
    session.shown_since = session.shown_since or now
    session.save(
        update_fields=[
            *("sequence", "public_room", "public_begins", "public_minutes"),
            *("shown", "scheduled", "changed", "shown_since"),
        ]
    )
    if first:
        let_be_found(session)


def let_calendars_look(sessions: QuerySet[Session]) -> None:
    """Let programs that hold these sessions know that they are no longer what they were."""
    sessions.update(sequence=F("sequence") + 1, changed=timezone.now())


def changes_between(before: Release | None, after: Release | None) -> list[Change]:
    """Return what changed from one version of a schedule to another."""
    return versions.changes(entries_of(before), entries_of(after))


def names_of_speakers(sessions: Iterable[Session]) -> dict[int, str]:
    """Return the handles of all who speak in some sessions, by member, with one query."""
    rows = Speaker.objects.filter(session__in=[one.pk for one in sessions])
    return dict(rows.values_list("member_id", "member__handle"))
