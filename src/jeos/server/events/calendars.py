"""Sessions as calendars: the whole schedule, one session, a member's agenda."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.conf import settings

from jeos.server.accounts.models import Member
from jeos.server.content import markdown
from jeos.server.events import icalendar
from jeos.server.events.models import Event, Session


def of_sessions(
    event: Event, sessions: Sequence[Session], speakers: Mapping[int, Sequence[Member]], *, name: str, url: str
) -> bytes:
    """Return sessions as a calendar; `url` is its page within the site."""
    entries = [_entry(event, one, speakers.get(one.pk, ())) for one in sessions if one.public_begins is not None]
    return icalendar.calendar(entries, name=name, url=f"{settings.ENVIRONMENT.url}{url}")


def _entry(event: Event, session: Session, speakers: Sequence[Member]) -> icalendar.Entry:
    """Return a session as calendars have it. Its UID is its number on this site, whatever becomes of it."""
    begins, ends = session.public_begins, session.public_ends
    assert begins is not None  # the caller left out what was never on a schedule
    assert ends is not None
    names = ", ".join(member.shown_name for member in speakers)
    excerpt = markdown.summary(session.source, length=400)
    room = session.public_room.name if session.public_room else ""
    return icalendar.Entry(
        uid=f"session-{session.pk}@{settings.ENVIRONMENT.host}",
        sequence=session.sequence,
        changed=session.changed,
        begins=begins,
        ends=ends,
        title=session.title,
        text="\n\n".join(part for part in (names, excerpt) if part),
        place=", ".join(part for part in (room, event.place) if part),
        url=f"{settings.ENVIRONMENT.url}{session.get_absolute_url()}",
        categories=[session.track.name] if session.track else [],
        cancelled=session.cancelled,
    )
