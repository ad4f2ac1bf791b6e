"""What the API says of events, sessions, schedules, ratings and topics."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from pydantic import BaseModel, Field

from jeos.server.accounts.models import Member
from jeos.server.api import shapes
from jeos.server.events import attending, queries, scheduling, topics
from jeos.server.events.models import Event, Rating, Release, Session, Speaker, State, Topic
from jeos.server.events.rights import Standing


class EventLine(BaseModel):
    """An event in a list."""

    slug: str = Field(examples=["days"])
    number: int = Field(description="of this content, where the kind is `event`", examples=[12])
    name: str = Field(examples=["Appliance Days"])
    line: str = Field(description="what it is, in one line")
    place: str
    zone: str = Field(description="its time zone", examples=["Europe/Berlin"])
    begins: date
    ends: date
    url: str = Field(examples=["https://exchange.example/events/days/"])


class TrackOut(BaseModel):
    """What sessions are about."""

    number: int
    name: str = Field(examples=["Building"])


class TypeOut(BaseModel):
    """A kind of session."""

    number: int
    name: str = Field(examples=["Talk"])
    minutes: int


class RoomOut(BaseModel):
    """Where sessions are."""

    number: int
    name: str = Field(examples=["Hall"])
    capacity: int | None = Field(description="people; null for as many as come")


class CallOut(shapes.Text):
    """The call for sessions; `source` is what it asks for."""

    open: bool
    opens: datetime | None
    closes: datetime | None


class EventOut(EventLine, shapes.Text):
    """An event; `source` is what its page says."""

    published: bool
    hidden: bool = Field(description="only its organisers see it")
    call: CallOut
    tracks: list[TrackOut]
    types: list[TypeOut]
    rooms: list[RoomOut]
    version: int = Field(description="of the schedule that everybody sees; 0 before the first")
    released: datetime | None = Field(description="when this version came")
    calendar: str = Field(description="the address of its schedule as iCalendar")


class SessionLine(BaseModel):
    """A session in a list, with its place on the released schedule."""

    number: int = Field(examples=[12])
    event: str = Field(examples=["days"])
    title: str = Field(examples=["Reading disks that lie"])
    tags: list[str]
    speakers: list[shapes.Author] = Field(description="those who agreed")
    track: str = Field(description="empty for none", examples=["Building"])
    type: str = Field(description="empty for none", examples=["Talk"])
    room: str = Field(description="empty for none", examples=["Hall"])
    begins: datetime | None = Field(description="null where it is on no schedule")
    minutes: int
    cancelled: bool = Field(description="it was on a schedule and will not be held")
    choices: int = Field(description="by how many it was chosen")
    chosen: bool = Field(description="the caller did")
    ratings: int
    average: float = Field(description="of the ratings, from 1 to 5; 0 where there are none")
    comments: int
    url: str


class SessionOut(SessionLine, shapes.Text):
    """A session with its text."""

    state: str | None = Field(
        description="how it stands, for who speaks, reviews or organises; null for others", examples=["submitted"]
    )
    note: str | None = Field(description="to the organisers, for the same")
    made: datetime
    edited: datetime | None
    version: int
    hidden: bool = Field(description="only moderators, organisers and its speakers see it")


class RatingOut(BaseModel):
    """What a member thought of a session."""

    author: shapes.Author
    stars: int = Field(examples=[4])
    words: str
    date: datetime
    hidden: bool = Field(description="only moderators see it")


class SubmissionOut(SessionLine):
    """A submitted session, as who reviews or organises sees it."""

    state: str = Field(examples=["submitted"])
    author: shapes.Author
    made: datetime
    reviews: int | None = Field(description="null for what one speaks in oneself")
    score: float | None = Field(description="the mean of the reviews, from 1 to 5; null where there are none")
    hidden: bool = Field(description="only moderators, organisers and its speakers see it")


class PlannedOut(BaseModel):
    """A session on the schedule while it is made."""

    number: int = Field(examples=[12])
    title: str = Field(examples=["Reading disks that lie"])
    state: str = Field(description="a release takes what is confirmed", examples=["confirmed"])
    begins: datetime | None
    minutes: int
    room: int | None = Field(description="as the event lists it; null with a time is everywhere")


class ClashOut(BaseModel):
    """Something that is wrong with a schedule."""

    kind: str = Field(description="room, speaker, outside or full", examples=["room"])
    first: int = Field(description="the number of a session", examples=[12])
    second: int | None = Field(description="the number of the other session, if two are concerned")


class PlanOut(BaseModel):
    """The schedule while it is made: what can be placed, and what is wrong with where it is."""

    sessions: list[PlannedOut]
    clashes: list[ClashOut]
    version: int = Field(description="of the schedule that everybody sees; 0 before the first")


class ReleaseOut(BaseModel):
    """A version of the schedule that everybody sees."""

    version: int = Field(examples=[1])
    note: str
    date: datetime


class TopicOut(BaseModel):
    """What members would like to hear about."""

    number: int = Field(examples=[12])
    title: str = Field(examples=["Booting without a disk"])
    author: shapes.Author
    made: datetime
    votes: int
    voted: bool = Field(description="the caller did")
    url: str


def _event(row: Event) -> dict[str, object]:
    plain = ("slug", "name", "line", "place", "zone", "begins", "ends")
    return {
        **{name: getattr(row, name) for name in plain},
        "number": row.pk,
        "url": shapes.address(row.get_absolute_url()),
    }


def events(rows: Sequence[Event]) -> list[EventLine]:
    """Return events as a list has them."""
    return [EventLine.model_validate(_event(row)) for row in rows]


def event(row: Event, *, now: datetime) -> EventOut:
    """Return an event with its parts."""
    order = ("position", "pk")
    more = {
        **{name: getattr(row, name) for name in ("source", "html", "published", "hidden", "version", "released")},
        "call": CallOut(
            source=row.call_source,
            html=row.call_html,
            open=row.calls(now=now),
            opens=row.call_opens,
            closes=row.call_closes,
        ),
        "tracks": [TrackOut(number=one.pk, name=one.name) for one in row.tracks.order_by(*order)],
        "types": [TypeOut(number=one.pk, name=one.name, minutes=one.minutes) for one in row.types.order_by(*order)],
        "rooms": [RoomOut(number=one.pk, name=one.name, capacity=one.capacity) for one in row.rooms.order_by(*order)],
        "calendar": shapes.address(f"{row.get_absolute_url()}schedule.ics"),
    }
    return EventOut.model_validate(_event(row) | more)


def _session(row: Session, speakers: Sequence[Member], own: Collection[int]) -> dict[str, object]:
    return {
        **{name: getattr(row, name) for name in ("title", "cancelled", "ratings", "comments")},
        "number": row.pk,
        "event": row.event.slug,
        "tags": row.tags.split(),
        "speakers": [shapes.author(member) for member in speakers],
        "track": str(row.track or ""),
        "type": str(row.type or ""),
        "room": str(row.public_room or ""),
        "begins": row.public_begins,
        "minutes": row.public_minutes if row.public_begins else row.minutes,
        "choices": row.starred,
        "chosen": row.pk in own,
        "average": round(row.average, 2),
        "url": shapes.address(row.get_absolute_url()),
    }


def sessions(rows: Sequence[Session], own: Collection[int]) -> list[SessionLine]:
    """Return sessions as a list has them; `own` are those that the caller chose."""
    speakers = queries.speakers(rows)
    return [SessionLine.model_validate(_session(row, speakers[row.pk], own)) for row in rows]


def session(row: Session, who: Standing, *, speaks: bool, own: Collection[int]) -> SessionOut:
    """Return a session; how it stands is for those whom that concerns."""
    plain = ("source", "html", "made", "edited", "version", "hidden")
    concerned = speaks or who.reviews
    more = {
        **{name: getattr(row, name) for name in plain},
        "state": State(row.state).name.lower() if concerned else None,
        "note": row.note if concerned else None,
    }
    return SessionOut.model_validate(_session(row, queries.speakers([row])[row.pk], own) | more)


def submissions(
    rows: Sequence[Session], member: Member, scores: Mapping[int, tuple[float, int]]
) -> list[SubmissionOut]:
    """Return what was submitted; `scores` are means and numbers of reviews."""
    own = set(Speaker.objects.filter(session__in=[row.pk for row in rows], member=member).values_list("session_id"))
    speakers, chosen = queries.speakers(rows), attending.starred(member, rows[0].event) if rows else set()
    found = []
    for row in rows:
        mean, count = scores.get(row.pk, (None, 0))
        speaks = (row.pk,) in own or (row.author_id == member.pk and not row.invited)
        more = {
            "state": State(row.state).name.lower(),
            "author": shapes.author(row.author),
            "made": row.made,
            "reviews": None if speaks else count,
            "score": None if speaks or mean is None else round(mean, 2),
            "hidden": row.hidden,
        }
        found.append(SubmissionOut.model_validate(_session(row, speakers[row.pk], chosen) | more))
    return found


def plan(event: Event) -> PlanOut:
    """Return the schedule of an event while it is made."""
    sessions = scheduling.working(event)
    return PlanOut(
        sessions=[
            PlannedOut(
                number=one.pk,
                title=one.title,
                state=State(one.state).name.lower(),
                begins=one.begins,
                minutes=one.minutes,
                room=one.room_id,
            )
            for one in sessions
        ],
        clashes=[
            ClashOut(
                kind=clash.kind.value,
                first=clash.first.number,
                second=clash.second.number if clash.second is not None else None,
            )
            for clash in scheduling.find_clashes(event, sessions)
        ],
        version=event.version,
    )


def release(row: Release) -> ReleaseOut:
    """Return a version of the schedule."""
    return ReleaseOut(version=row.number, note=row.note, date=row.date)


def ratings(rows: Sequence[Rating]) -> list[RatingOut]:
    """Return ratings of a session."""
    return [
        RatingOut(author=shapes.author(row.member), stars=row.stars, words=row.words, date=row.date, hidden=row.hidden)
        for row in rows
    ]


def wishes(rows: Sequence[Topic], event: Event, member: Member | None) -> list[TopicOut]:
    """Return topics of an event."""
    own = topics.own(member, [row.pk for row in rows])
    return [
        TopicOut(
            number=row.pk,
            title=row.title,
            author=shapes.author(row.author),
            made=row.made,
            votes=row.votes,
            voted=row.pk in own,
            url=shapes.address(f"{event.get_absolute_url()}topics/#t{row.pk}"),
        )
        for row in rows
    ]
