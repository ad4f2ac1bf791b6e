"""The events' part of the API: what is on, the call for sessions, agendas, ratings, topics; the organisers' work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from ninja.responses import Status
from pydantic import Field

from jeos.server.accounts.models import HANDLE_LENGTH, Member
from jeos.server.api import access, answers, lists, shapes
from jeos.server.content import limits, trust
from jeos.server.events import attending, described, organising_api, queries, rights, submitting, topics
from jeos.server.events.attending import STARS
from jeos.server.events.described import EventLine, EventOut, RatingOut, SessionLine, SessionOut, TopicOut
from jeos.server.events.forms import RatingForm, SessionForm, TopicForm
from jeos.server.events.models import Event, Rating, Session, Topic
from jeos.server.events.models.events import NAME_LENGTH
from jeos.server.events.submitting import SPEAKERS
from jeos.server.events.views.access import find_event, find_session, find_spoken
from jeos.server.events.views.lists import KEYS, coming_rows, past_rows

router = Router(tags=["Events"])
router.add_router("", organising_api.router)
EVENT = "/events/{slug}"
SESSION = EVENT + "/sessions/{number}"
BY_TIME: dict[str, type] = {"public_begins": datetime, "id": int}

Slug = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]+$", max_length=60, examples=["days"])]
Show = Annotated[Literal["coming", "past"], Query(description="going on or to come, the next first; or over")]
TrackNumber = Annotated[int, Query(ge=0, le=shapes.LARGEST, description="of a track; 0 for all")]

SessionTitle = Annotated[str, Field(max_length=NAME_LENGTH, examples=["Reading disks that lie"])]
PartNumber = Annotated[int, Field(ge=1, le=shapes.LARGEST, description="as the event lists it")]
Note = Annotated[str, Field(max_length=4_000, description="to the organisers, plain text")]
Handle = Annotated[str, Field(max_length=HANDLE_LENGTH, pattern=r"^[a-z0-9][a-z0-9_-]*$", examples=["ada"])]
Handles = Annotated[list[Handle], Field(max_length=SPEAKERS - 1, description="who else speaks; each is asked")]


class SessionIn(shapes.Body):
    """A session for the call."""

    title: SessionTitle
    source: shapes.Source
    type: PartNumber | None = None
    track: PartNumber | None = None
    tags: shapes.Tags = Field(default_factory=list)
    speakers: Handles = Field(default_factory=list)
    note: Note = ""


class SessionChange(shapes.Body):
    """What changes about a session; what is not named stays."""

    title: SessionTitle = ""
    source: Annotated[str, Field(max_length=40_000, description="Markdown")] = ""
    type: PartNumber | None = None
    track: PartNumber | None = None
    tags: shapes.Tags = Field(default_factory=list)
    speakers: Handles = Field(default_factory=list)
    note: Note = ""
    reason: shapes.Reason = ""


class RatingIn(shapes.Body):
    """Stars for a session, and words if there are any."""

    stars: Annotated[int, Field(ge=1, le=STARS, examples=[4])]
    words: Annotated[str, Field(max_length=500)] = ""


class TopicIn(shapes.Body):
    """A topic."""

    title: Annotated[str, Field(max_length=NAME_LENGTH, examples=["Booting without a disk"])]


def _with_own(event: Event, member: Member | None) -> Callable[[Sequence[Session]], list[SessionLine]]:
    """Return what shapes sessions of an event for a caller."""
    own = attending.starred(member, event)
    return lambda rows: described.sessions(rows, own)


def _whole(slug: str, number: int, member: Member | None) -> SessionOut:
    """Return a session as it is now. Raises Http404."""
    found, who, speaks = find_session(slug, number, member)
    return described.session(found, who, speaks=speaks, own=attending.starred(member, found.event))


@router.get("/events", auth=access.READS, response=answers.of(lists.Listed[EventLine]), summary="Events")
def list_events(
    request: HttpRequest, response: HttpResponse, show: Show = "coming", after: shapes.Cursor = ""
) -> lists.Listed[EventLine]:
    """Return the events that everybody sees."""
    coming = show == "coming"
    rows = coming_rows() if coming else past_rows()
    return lists.page(request, response, rows, described.events, keys=KEYS, after=after, rising=coming)


@router.get(EVENT, auth=access.READS, response=answers.of(EventOut), summary="An event")
def event(request: HttpRequest, slug: Slug) -> EventOut:
    """Return an event with its tracks, types of sessions and rooms; before it is published, for who works for it."""
    found, _who = find_event(slug, access.reader(request))
    return described.event(found, now=timezone.now())


@router.get(
    EVENT + "/schedule",
    auth=access.READS,
    response=answers.of(lists.Listed[SessionLine]),
    summary="The released schedule of an event, by time",
)
def list_schedule(
    request: HttpRequest, response: HttpResponse, slug: Slug, after: shapes.Cursor = ""
) -> lists.Listed[SessionLine]:
    """Return the sessions of the schedule that everybody sees."""
    member = access.reader(request)
    found, _who = find_event(slug, member)
    rows = queries.schedule(found).exclude(public_begins=None).select_related("type")
    shape = _with_own(found, member)
    return lists.page(request, response, rows, shape, keys=BY_TIME, after=after, rising=True)


@router.get(
    EVENT + "/agenda",
    auth=access.OWN,
    response=answers.of(lists.Listed[SessionLine]),
    summary="What I chose of an event, by time",
)
def list_agenda(
    request: HttpRequest, response: HttpResponse, slug: Slug, after: shapes.Cursor = ""
) -> lists.Listed[SessionLine]:
    """Return the member's own agenda."""
    member = access.member(request)
    found, _who = find_event(slug, member)
    own = attending.starred(member, found)
    rows = queries.schedule(found).filter(pk__in=own).exclude(public_begins=None).select_related("type")
    shape = _with_own(found, member)
    return lists.page(request, response, rows, shape, keys=BY_TIME, after=after, rising=True)


@router.get(
    EVENT + "/sessions",
    auth=access.READS,
    response=answers.of(lists.Listed[SessionLine]),
    summary="Sessions of an event, by title",
)
def list_sessions(
    request: HttpRequest, response: HttpResponse, slug: Slug, track: TrackNumber = 0, after: shapes.Cursor = ""
) -> lists.Listed[SessionLine]:
    """Return the sessions that everybody sees, all or those of a track."""
    member = access.reader(request)
    found, _who = find_event(slug, member)
    rows = queries.told_of(found).select_related("event", "track", "type", "public_room")
    rows = rows.filter(track=track) if track else rows
    keys = {"title": str, "id": int}
    return lists.page(request, response, rows, _with_own(found, member), keys=keys, after=after, rising=True)


@router.post(
    EVENT + "/sessions",
    auth=access.WRITES,
    response=answers.written(SessionOut),
    summary="Submit a session to the call",
)
def submit_session(request: HttpRequest, slug: Slug, value: SessionIn) -> Status[SessionOut]:
    """Submit a session while the call is open; its speakers hear of the organisers' decision."""
    member, now = access.member(request), timezone.now()
    found, _who = find_event(slug, member)
    if not found.calls(now=now):
        raise PermissionDenied(_("The call for sessions is not open."))
    trust.check_may_write(member, now=now)
    form = shapes.checked(SessionForm(_said(value.model_dump()), event=found, called=True))
    limits.use("session", member=member)
    made = submitting.submit(found, form.wanted(), author=member)
    return answers.made(_whole(slug, made.pk, member))


def _said(value: dict[str, object]) -> dict[str, object]:
    """Return the values of a call as the form of the pages takes them: words with spaces between."""
    return {name: " ".join(held) if isinstance(held, list) else held for name, held in value.items()}


@router.get(SESSION, auth=access.READS, response=answers.of(SessionOut), summary="A session")
def session(request: HttpRequest, slug: Slug, number: shapes.Number) -> SessionOut:
    """Return a session; before it is on a schedule, for its speakers and those who decide."""
    return _whole(slug, number, access.reader(request))


@router.patch(SESSION, auth=access.WRITES, response=answers.written(SessionOut, status=200), summary="Change a session")
def change_session(request: HttpRequest, slug: Slug, number: shapes.Number, value: SessionChange) -> SessionOut:
    """Change a session of one's own; what was accepted keeps its track and type."""
    member = access.member(request)
    found, who, speaks = find_session(slug, number, member)
    if not rights.may_edit(found, who, speaks=speaks, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this session."))
    fixed = rights.is_fixed(found, who)
    said = SessionForm.initial_of(found) | _said(value.model_dump(exclude_unset=True))
    form = shapes.checked(SessionForm(said, event=found.event, called=not found.invited, fixed=fixed))
    limits.use("edit", member=member)
    wanted = replace(form.wanted(), track=found.track, type=found.type) if fixed else form.wanted()
    submitting.edit(found, wanted, editor=member, reason=form.cleaned_data["reason"])
    return _whole(slug, number, member)


@router.post(
    SESSION + "/confirm",
    auth=access.WRITES,
    response=answers.written(SessionOut, status=200),
    summary="Confirm an accepted session",
)
def confirm_session(request: HttpRequest, slug: Slug, number: shapes.Number) -> SessionOut:
    """Promise, as one of its speakers, to come."""
    member = access.member(request)
    try:
        submitting.confirm(find_spoken(slug, number, member))
    except ValueError as error:
        raise PermissionDenied(_("Only an accepted session can be confirmed.")) from error
    return _whole(slug, number, member)


@router.post(
    SESSION + "/withdraw",
    auth=access.WRITES,
    response=answers.written(SessionOut, status=200),
    summary="Withdraw a session",
)
def withdraw_session(request: HttpRequest, slug: Slug, number: shapes.Number) -> SessionOut:
    """Take a session back, as one of its speakers; on the schedule it is cancelled at once."""
    member = access.member(request)
    try:
        submitting.withdraw(find_spoken(slug, number, member))
    except ValueError as error:
        raise PermissionDenied(_("There is nothing to withdraw.")) from error
    return _whole(slug, number, member)


def _choose(request: HttpRequest, slug: str, number: int, *, wanted: bool) -> SessionOut:
    member = access.member(request)
    found, _who, _speaks = find_session(slug, number, member)
    if not rights.may_star(found, member):
        raise PermissionDenied(_("This session is on no schedule yet."))
    limits.use("star", member=member)
    attending.star(found, member, wanted=wanted)
    return _whole(slug, number, member)


@router.put(
    SESSION + "/choice",
    auth=access.WRITES,
    response=answers.written(SessionOut, status=200),
    summary="Put a session on my agenda",
)
def choose_session(request: HttpRequest, slug: Slug, number: shapes.Number) -> SessionOut:
    """Choose a session; who chose it is told when it moves."""
    return _choose(request, slug, number, wanted=True)


@router.delete(
    SESSION + "/choice",
    auth=access.WRITES,
    response=answers.written(SessionOut, status=200),
    summary="Take a session off my agenda",
)
def drop_session(request: HttpRequest, slug: Slug, number: shapes.Number) -> SessionOut:
    """Choose a session no longer."""
    return _choose(request, slug, number, wanted=False)


@router.get(
    SESSION + "/ratings",
    auth=access.READS,
    response=answers.of(lists.Listed[RatingOut]),
    summary="Ratings of a session, newest first",
)
def list_ratings(
    request: HttpRequest, response: HttpResponse, slug: Slug, number: shapes.Number, after: shapes.Cursor = ""
) -> lists.Listed[RatingOut]:
    """Return what attendees thought of a session."""
    member = access.reader(request)
    found, _who, _speaks = find_session(slug, number, member)
    rows = Rating.objects.filter(session=found).select_related("member")
    rows = rows if member is not None and member.moderates else rows.filter(hidden=False)
    return lists.page(request, response, rows, described.ratings, keys={"id": int}, after=after)


@router.put(
    SESSION + "/rating",
    auth=access.WRITES,
    response=answers.written(SessionOut, status=200),
    summary="Rate a session that has begun",
)
def rate_session(request: HttpRequest, slug: Slug, number: shapes.Number, value: RatingIn) -> SessionOut:
    """Rate a session; the second rating of a member replaces the first."""
    member = access.member(request)
    found, _who, speaks = find_session(slug, number, member)
    if not rights.may_rate(found, member, speaks=speaks, now=timezone.now()):
        raise PermissionDenied(_("A session can be rated once it has begun, by those who do not speak in it."))
    wanted = shapes.checked(RatingForm(value.model_dump())).cleaned_data
    limits.use("vote", member=member)
    attending.rate(found, member, stars=wanted["stars"], words=wanted["words"])
    return _whole(slug, number, member)


@router.get(
    EVENT + "/topics",
    auth=access.READS,
    response=answers.of(lists.Listed[TopicOut]),
    summary="Topics that members wish for, most wanted first",
)
def list_topics(
    request: HttpRequest, response: HttpResponse, slug: Slug, after: shapes.Cursor = ""
) -> lists.Listed[TopicOut]:
    """Return the topics that were suggested for an event."""
    member = access.reader(request)
    found, _who = find_event(slug, member)
    rows = Topic.objects.filter(event=found, hidden=False).select_related("author")

    def shape(page: Sequence[Topic]) -> list[TopicOut]:
        return described.wishes(page, found, member)

    return lists.page(request, response, rows, shape, keys={"votes": int, "id": int}, after=after)


@router.post(EVENT + "/topics", auth=access.WRITES, response=answers.written(TopicOut), summary="Suggest a topic")
def suggest_topic(request: HttpRequest, slug: Slug, value: TopicIn) -> Status[TopicOut]:
    """Suggest a topic; who suggests it wants it."""
    member = access.member(request)
    found, _who = find_event(slug, member)
    trust.check_may_write(member, now=timezone.now())
    wanted = shapes.checked(TopicForm({"title": value.title})).cleaned_data
    limits.use("topic", member=member)
    made = topics.suggest(found, author=member, title=wanted["title"])
    return answers.made(described.wishes([made], found, member)[0])


def _want(request: HttpRequest, slug: str, number: int, *, wanted: bool) -> TopicOut:
    member = access.member(request)
    found, _who = find_event(slug, member)
    topic = get_object_or_404(Topic.objects.select_related("author"), pk=number, event=found, hidden=False)
    trust.check_may_write(member, now=timezone.now())
    limits.use("vote", member=member)
    topics.vote(topic, member, wanted=wanted)
    return described.wishes([topic], found, member)[0]


@router.put(
    EVENT + "/topics/{number}/vote",
    auth=access.WRITES,
    response=answers.written(TopicOut, status=200),
    summary="Vote for a topic",
)
def vote_topic(request: HttpRequest, slug: Slug, number: shapes.Number) -> TopicOut:
    """Want a topic; a second vote changes nothing."""
    return _want(request, slug, number, wanted=True)


@router.delete(
    EVENT + "/topics/{number}/vote",
    auth=access.WRITES,
    response=answers.written(TopicOut, status=200),
    summary="Take a vote for a topic back",
)
def unvote_topic(request: HttpRequest, slug: Slug, number: shapes.Number) -> TopicOut:
    """Want a topic no longer."""
    return _want(request, slug, number, wanted=False)
