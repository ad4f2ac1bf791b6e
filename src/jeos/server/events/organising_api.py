"""The organisers' part of the events' API: what was submitted, reviews, decisions, the schedule while it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.db.models import Avg, Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from ninja.responses import Status
from pydantic import Field

from jeos.server.accounts.models import Member
from jeos.server.api import access, answers, lists, problems, shapes
from jeos.server.events import attending, described, reviewing, rights, scheduling, submitting
from jeos.server.events.described import PlanOut, ReleaseOut, SessionOut, SubmissionOut
from jeos.server.events.forms import DecideForm, PlaceForm, ReleaseForm, ReviewForm
from jeos.server.events.models import Event, Review, Session, State
from jeos.server.events.reviewing import BEST, WORST
from jeos.server.events.scheduling import LONGEST, SHORTEST
from jeos.server.events.views.access import find_event, find_organised, find_session

router = Router()
EVENT = "/events/{slug}"
SESSION = EVENT + "/sessions/{number}"

Slug = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]+$", max_length=60, examples=["days"])]
Stands = Annotated[
    Literal["submitted", "accepted", "confirmed", "rejected", "withdrawn"], Query(description="how they stand")
]


class SessionReviewIn(shapes.Body):
    """What a reviewer thinks of a session; its speakers never see it."""

    score: Annotated[int, Field(ge=WORST, le=BEST, examples=[4])]
    words: Annotated[str, Field(max_length=4_000)] = ""


class DecisionIn(shapes.Body):
    """What organisers decide; `submitted` opens the question again."""

    state: Literal["accepted", "rejected", "submitted"]


class PlaceIn(shapes.Body):
    """Where and when a session is; without a time, nowhere."""

    begins: (
        Annotated[
            str,
            Field(
                pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$",
                description="in the time zone of the event",
                examples=["2030-05-09T09:00"],
            ),
        ]
        | None
    ) = None
    minutes: Annotated[int, Field(ge=SHORTEST, le=LONGEST, examples=[30])]
    room: Annotated[int, Field(ge=1, le=shapes.LARGEST, description="as the event lists it")] | None = None


class ReleaseIn(shapes.Body):
    """What is said about a new version of the schedule."""

    note: Annotated[str, Field(max_length=500)] = ""


def _whole(slug: str, number: int, member: Member) -> SessionOut:
    """Return a session as it is now. Raises Http404."""
    found, who, speaks = find_session(slug, number, member)
    return described.session(found, who, speaks=speaks, own=attending.starred(member, found.event))


def _organised(request: HttpRequest, slug: str, number: int) -> tuple[Event, Session, Member]:
    """Return a session of an event that the caller organises. Raises Http404 and PermissionDenied."""
    member = access.member(request)
    event, _who = find_organised(slug, member)
    return event, find_session(slug, number, member)[0], member


@router.get(
    EVENT + "/submissions",
    auth=access.OWN,
    response=answers.of(lists.Listed[SubmissionOut]),
    summary="What was submitted to an event, newest first",
)
def list_submissions(
    request: HttpRequest, response: HttpResponse, slug: Slug, state: Stands = "submitted", after: shapes.Cursor = ""
) -> lists.Listed[SubmissionOut]:
    """Return submitted sessions, for who reviews or organises; scores of what one speaks in are kept from one."""
    member = access.member(request)
    event, who = find_event(slug, member)
    if not who.reviews:
        raise PermissionDenied(_("This page is for the reviewers of the event."))
    rows = Session.objects.filter(event=event, state=State[state.upper()])
    rows = rows.select_related("event", "track", "type", "author")
    rows = rows if who.organises else rows.filter(hidden=False)

    def shape(found: Sequence[Session]) -> list[SubmissionOut]:
        numbers = [row.pk for row in found]
        counted = Review.objects.filter(session__in=numbers).values_list("session").annotate(Avg("score"), Count("pk"))
        scores = {number: (mean, count) for number, mean, count in counted}
        return described.submissions(found, member, scores)

    return lists.page(request, response, rows, shape, keys={"id": int}, after=after)


@router.put(
    SESSION + "/review",
    auth=access.WRITES,
    response=answers.written(SessionOut, status=200),
    summary="Review a submitted session",
)
def review_session(request: HttpRequest, slug: Slug, number: shapes.Number, value: SessionReviewIn) -> SessionOut:
    """Score a session as a reviewer of the event; a second review replaces the first."""
    member = access.member(request)
    _event, who = find_event(slug, member)
    if not who.reviews:
        raise PermissionDenied(_("This page is for the reviewers of the event."))
    found, who, speaks = find_session(slug, number, member)
    if speaks:
        raise PermissionDenied(_("Nobody reviews a session of one's own."))
    if not rights.may_review(found, who, speaks=speaks, now=timezone.now()):
        raise PermissionDenied(_("It is decided already."))
    wanted = shapes.checked(ReviewForm(value.model_dump())).cleaned_data
    reviewing.review(found, reviewer=member, score=wanted["score"], words=wanted["words"])
    return _whole(slug, number, member)


@router.put(
    SESSION + "/decision",
    auth=access.WRITES,
    response=answers.written(SessionOut, status=200),
    summary="Accept or reject a session",
)
def decide_session(request: HttpRequest, slug: Slug, number: shapes.Number, value: DecisionIn) -> SessionOut:
    """Decide as an organiser on a session, or open the question again; its speakers are told."""
    _event, found, member = _organised(request, slug, number)
    wanted = shapes.checked(DecideForm({"state": State[value.state.upper()]})).cleaned_data
    try:
        submitting.decide(found, wanted["state"], actor=member)
    except ValueError as error:
        raise PermissionDenied(_("Its speakers withdrew it.")) from error
    return _whole(slug, number, member)


@router.put(
    SESSION + "/place",
    auth=access.WRITES,
    response=answers.written(PlanOut, status=200),
    summary="Put a session into a room and time",
)
def place_session(request: HttpRequest, slug: Slug, number: shapes.Number, value: PlaceIn) -> PlanOut:
    """Place an accepted session on the schedule that is being made; nobody else sees it before it is released."""
    event, found, _member = _organised(request, slug, number)
    form = shapes.checked(PlaceForm(value.model_dump(), event=event))
    begins = form.cleaned_data["begins"]
    try:
        scheduling.place(
            found,
            room=form.cleaned_data["room"],
            begins=begins.replace(tzinfo=event.tz) if begins else None,
            minutes=form.cleaned_data["minutes"],
        )
    except ValueError as error:
        said = _("Only a session that was accepted has a place on the schedule.")
        raise problems.Invalid([problems.Fault(where="begins", message=said)]) from error
    return described.plan(event)


@router.get(
    EVENT + "/plan",
    auth=access.OWN,
    response=answers.of(PlanOut),
    summary="The schedule of an event while it is made, and what is wrong with it",
)
def plan(request: HttpRequest, slug: Slug) -> PlanOut:
    """Return where the organisers have put sessions, and what clashes."""
    event, _who = find_organised(slug, access.member(request))
    return described.plan(event)


@router.post(
    EVENT + "/releases",
    auth=access.WRITES,
    response=answers.written(ReleaseOut),
    summary="Release the schedule of an event",
)
def release_schedule(request: HttpRequest, slug: Slug, value: ReleaseIn) -> Status[ReleaseOut]:
    """Let everybody see the schedule as it is now; sessions whose speakers have not confirmed stay out."""
    member = access.member(request)
    event, _who = find_organised(slug, member)
    wanted = shapes.checked(ReleaseForm(value.model_dump())).cleaned_data
    return answers.made(described.release(scheduling.release(event, by=member, note=wanted["note"])))
