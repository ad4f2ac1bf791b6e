"""The events of the example community, from `demo.toml`: one that is over, one to come with a call that is open."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import comments, kinds
from jeos.server.events import attending, preparing, reviewing, scheduling, submitting, topics
from jeos.server.events.models import Event, Role, Room, Session, SessionType, Speaker, State, Track

SCRIPT = Path(__file__).with_name("demo.toml")
Row = dict[str, Any]


def fill(members: dict[str, Member]) -> None:
    """Write events with all that belongs to them."""
    for row in tomllib.loads(SCRIPT.read_text(encoding="utf-8"))["event"]:
        event = _event(row, members)
        sessions = {one["title"]: _session(event, one, members) for one in row["session"]}
        for note in row["releases"]:
            scheduling.release(event, by=members["admin"], note=note)
        _attend(event, row, sessions, members)


def _event(row: Row, members: dict[str, Member]) -> Event:
    """Make an event with its tracks, rooms, types and people; its days are counted from today."""
    today = timezone.now().date()
    begins = today + timedelta(days=row["days_from_now"])
    now = timezone.now()
    call = row.get("call", {})
    wanted = preparing.Wanted(
        slug=f"{row['slug']}-{begins.year}",
        name=f"{row['name']} {begins.year}",
        begins=begins,
        ends=begins + timedelta(days=row["length"] - 1),
        zone=row["zone"],
        line=row["line"],
        place=row["place"],
        source=row["text"].strip(),
        published=True,
        call_opens=now + timedelta(days=call["opens"]) if call else None,
        call_closes=now + timedelta(days=call["closes"]) if call else None,
        call_source=call.get("text", "").strip(),
    )
    event = preparing.make(wanted, author=members["admin"])
    Track.objects.bulk_create(
        [Track(event=event, name=one["name"], hue=one["hue"], position=at) for at, one in enumerate(row["track"])]
    )
    Room.objects.bulk_create(
        [
            Room(event=event, name=one["name"], capacity=one.get("capacity"), position=at)
            for at, one in enumerate(row["room"])
        ]
    )
    SessionType.objects.bulk_create(
        [
            SessionType(event=event, name=one["name"], minutes=one["minutes"], position=at)
            for at, one in enumerate(row["type"])
        ]
    )
    for handle in row.get("reviewers", ()):
        preparing.appoint(event, members[handle], Role.REVIEWER, actor=members["admin"])
    return event


def _session(event: Event, row: Row, members: dict[str, Member]) -> Session:
    """Write a session, decide on it and place it as the script says."""
    speakers = [members[handle] for handle in row.get("by", ())]
    wanted = submitting.Wanted(
        title=row["title"],
        source=row.get("text", "").strip(),
        track=event.tracks.filter(name=row.get("track", "")).first(),
        type=event.types.filter(name=row.get("type", "")).first(),
        tags=row.get("tags", ()),
        speakers=speakers[1:] if row.get("called", True) and speakers else speakers,
    )
    if row.get("called", True) and speakers:
        session = submitting.submit(event, wanted, author=speakers[0])
    else:
        session = submitting.invite(event, wanted, actor=members["admin"])
    Speaker.objects.filter(session=session).update(agreed=True)
    for review in row.get("review", ()):
        reviewing.review(session, reviewer=members[review["by"]], score=review["score"], words=review["text"])
    if "at" in row:
        if session.state == State.SUBMITTED:
            submitting.decide(session, State.ACCEPTED, actor=members["admin"])
            submitting.confirm(session)
        room = event.rooms.filter(name=row.get("room", "")).first()
        minutes = row.get("minutes", session.minutes)
        scheduling.place(session, room=room, begins=_moment(event, row["day"], row["at"]), minutes=minutes)
    elif "decided" in row:
        submitting.decide(session, State[row["decided"]], actor=members["admin"])
    return session


def _moment(event: Event, number: int, clock: str) -> datetime:
    """Return a time of one of the event's days, the first of which is 1."""
    day: date = event.begins + timedelta(days=number - 1)
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=event.tz)


def _attend(event: Event, row: Row, sessions: dict[str, Session], members: dict[str, Member]) -> None:
    """Let members choose, rate and comment on sessions, and wish for topics."""
    for one in row["session"]:
        session = sessions[one["title"]]
        session.refresh_from_db()
        for handle in one.get("stars", ()):
            attending.star(session, members[handle], wanted=True)
        for rating in one.get("rating", ()):
            attending.rate(session, members[rating["by"]], stars=rating["stars"], words=rating["text"])
        for comment in one.get("comment", ()):
            comments.write(kinds.SESSION, session.pk, author=members[comment["by"]], source=comment["text"].strip())
    for topic in row.get("topic", ()):
        made = topics.suggest(event, author=members[topic["by"]], title=topic["title"])
        for handle in topic["votes"]:
            topics.vote(made, members[handle], wanted=True)
