"""What pages and calendars read of a released schedule, in a number of queries that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from jeos.server.accounts.models import Member
from jeos.server.events import timetable
from jeos.server.events.models import Event, Room, Session, Speaker
from jeos.server.events.placed import Placed
from jeos.server.events.timetable import Grid


@dataclass(frozen=True)
class Day:
    """A day of a schedule: its sessions by time, and as a table."""

    date: date
    sessions: Sequence[Session]
    grid: Grid


def schedule(event: Event) -> QuerySet[Session]:
    """Return the sessions of the version that everybody sees, by time."""
    rows = Session.objects.filter(event=event, scheduled=True, hidden=False)
    return rows.select_related("event", "track", "public_room").order_by("public_begins", "public_room__position", "pk")


def listed(event: Event) -> QuerySet[Session]:
    """Return the sessions that have a page for everybody."""
    rows = Session.objects.filter(event=event, shown=True, hidden=False)
    return rows.select_related("event", "track", "public_room")


def told_of(event: Event) -> QuerySet[Session]:
    """Return the sessions that lists by title and feeds have: what says nothing of itself, as lunch, is in neither."""
    return listed(event).exclude(invited=True, source="")


def speakers(sessions: Iterable[Session]) -> dict[int, list[Member]]:
    """Return who speaks, by session: those who agreed, in the order in which they were named."""
    numbers = [session.pk for session in sessions]
    found: dict[int, list[Member]] = {number: [] for number in numbers}
    rows = Speaker.objects.filter(session__in=numbers, agreed=True).select_related("member").order_by("pk")
    for row in rows:
        found[row.session_id].append(row.member)
    return found


def public_placed(sessions: Iterable[Session]) -> list[Placed]:
    """Return sessions of a released schedule as values."""
    return [
        Placed(one.pk, one.title, one.public_begins, one.public_minutes, one.public_room_id)
        for one in sessions
        if one.public_begins is not None
    ]


def days(event: Event, sessions: Sequence[Session], rooms: Sequence[Room]) -> list[Day]:
    """Return the days on which there is something, each with those of the rooms in which something is."""
    by_day: dict[date, list[Session]] = {}
    for session in sessions:
        if session.public_begins is not None:
            by_day.setdefault(session.public_begins.astimezone(event.tz).date(), []).append(session)
    return [
        Day(
            date=day,
            sessions=found,
            grid=timetable.grid(public_placed(found), rooms=_used(found, rooms)),
        )
        for day, found in sorted(by_day.items())
    ]


def working_days(event: Event, placed: Sequence[Placed], rooms: Sequence[Room]) -> list[tuple[date, Grid]]:
    """Return the days on which organisers have put something, each as a table with all rooms."""
    by_day: dict[date, list[Placed]] = {}
    for one in placed:
        by_day.setdefault(one.begins.astimezone(event.tz).date(), []).append(one)
    return [(day, timetable.grid(found, rooms=[room.pk for room in rooms])) for day, found in sorted(by_day.items())]


def _used(sessions: Sequence[Session], rooms: Sequence[Room]) -> list[int]:
    used = {session.public_room_id for session in sessions}
    return [room.pk for room in rooms if room.pk in used]
