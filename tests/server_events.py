"""An event for tests of the server, with people around it and sessions. Import it only after Django has been set up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.test import Client

from jeos.server.accounts.models import Member, Role
from jeos.server.events import preparing, scheduling, submitting
from jeos.server.events.models import Event, Room, Session, SessionType, State, Track
from jeos.server.events.models import Role as Duty_role
from server_site import TO_LOGIN, make_member, signed_in

CROWD = ("visitor", "member", "speaker", "reviewer", "organiser", "moderator")
DAY = date(2030, 5, 9)
NINE = datetime(2030, 5, 9, 7, tzinfo=UTC)  # nine o'clock in Berlin


@dataclass(frozen=True)
class Crowd:
    """A member and a browser for each role; a visitor is no member."""

    members: Mapping[str, Member]
    clients: Mapping[str, Client]

    def answers(self, address: str, data: Mapping[str, object] | None = None) -> list[int]:
        """Return what each role gets, in the order of CROWD."""
        found = []
        for role in CROWD:
            client = self.clients[role]
            answer = client.get(address) if data is None else client.post(address, data)
            login = answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login/")
            found.append(TO_LOGIN if login else answer.status_code)
        return found


def gather() -> Crowd:
    """Make the members of all roles."""
    members = {
        role: make_member(role, role=Role.MODERATOR if role == "moderator" else Role.MEMBER) for role in CROWD[1:]
    }
    clients = {"visitor": signed_in(None), **{role: signed_in(member) for role, member in members.items()}}
    return Crowd(members, clients)


def make_event(crowd: Crowd, **change: object) -> Event:
    """Make a published event of two days whose call is open, with a track, two rooms and two types."""
    wanted: dict[str, object] = {
        "slug": "days",
        "name": "Appliance Days",
        "begins": DAY,
        "ends": DAY + timedelta(days=1),
        "zone": "Europe/Berlin",
        "line": "Two days",
        "place": "Leipzig",
        "source": "What it *is*.",
        "published": True,
        "call_opens": datetime(2020, 1, 1, tzinfo=UTC),
    }
    event = preparing.make(preparing.Wanted(**wanted | change), author=crowd.members["organiser"])  # type: ignore[arg-type]
    preparing.appoint(event, crowd.members["reviewer"], Duty_role.REVIEWER, actor=crowd.members["organiser"])
    Track.objects.create(event=event, name="Building", hue=3)
    for name, minutes in (("Talk", 30), ("Workshop", 90)):
        SessionType.objects.create(event=event, name=name, minutes=minutes)
    for name in ("Hall", "Cellar"):
        Room.objects.create(event=event, name=name, capacity=50)
    return event


def submit(event: Event, author: Member, title: str = "Reading disks that lie", **change: object) -> Session:
    """Submit a session."""
    wanted: dict[str, object] = {"title": title, "source": f"Words of *{title}*.", "tags": ["disks"]}
    track, type_ = event.tracks.first(), event.types.first()
    made = submitting.Wanted(**{**wanted, "track": track, "type": type_, **change})  # type: ignore[arg-type]
    return submitting.submit(event, made, author=author)


def accept(session: Session, *, by: Member) -> Session:
    """Accept a session and let its speaker confirm it."""
    submitting.decide(session, State.ACCEPTED, actor=by)
    submitting.confirm(session)
    return session


def put(session: Session, minute: int = 0, *, room: str = "Hall", minutes: int = 30) -> Session:
    """Put a session so many minutes after nine of the first day."""
    place = session.event.rooms.filter(name=room).first()
    scheduling.place(session, room=place, begins=NINE + timedelta(minutes=minute), minutes=minutes)
    return session


def on_schedule(
    event: Event, crowd: Crowd, title: str = "Reading disks that lie", minute: int = 0, **place: object
) -> Session:
    """Let a session of the speaker be on a schedule that everybody sees."""
    session = submit(event, crowd.members["speaker"], title)
    put(accept(session, by=crowd.members["organiser"]), minute, **place)  # type: ignore[arg-type]
    scheduling.release(event, by=crowd.members["organiser"])
    return Session.objects.select_related("event").get(pk=session.pk)
