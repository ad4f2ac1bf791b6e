"""The practices' part of the API: what was proven and what waits for peers; writing, reviewing and rating."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router
from ninja.responses import Status
from pydantic import Field

from jeos.server.api import access, answers, lists, shapes
from jeos.server.content import kinds, limits, notifications, trust
from jeos.server.practices import described, proving, rating, rights, writing
from jeos.server.practices.described import PracticeLine, PracticeOut, PracticeRating, PracticeReview
from jeos.server.practices.forms import PART_LENGTH, PracticeForm, RatingForm, ReviewForm
from jeos.server.practices.models import TITLE_LENGTH, Rating, Review, Verdict
from jeos.server.practices.rating import STARS
from jeos.server.practices.views.access import find_practice
from jeos.server.practices.views.lists import own_rows, proven_rows, review_rows

router = Router(tags=["Practices"])
PRACTICE = "/practices/{number}"

Show = Annotated[Literal["proven", "top", "review"], Query(description="proven last, rated best, or waiting for peers")]
KEYS: dict[str, dict[str, type]] = {
    "proven": {"proven": datetime, "id": int},
    "top": {"score": int, "id": int},
    "review": {"submitted": datetime, "id": int},
}

PartText = Annotated[str, Field(max_length=PART_LENGTH, description="Markdown", examples=["It says *no link*."])]
Months = Annotated[Literal[6, 12, 24], Field(description="after which its author looks at it again")]
PracticeTitle = Annotated[str, Field(max_length=TITLE_LENGTH, examples=["Test the restore every month"])]
Organisation = Annotated[str, Field(max_length=80, description="where it was tried")]
HoldsFor = Annotated[str, Field(max_length=120, description="versions")]


class PracticeIn(shapes.Body):
    """A new practice: a draft, until it is put up for review."""

    title: PracticeTitle
    problem: PartText
    context: PartText
    practice: PartText
    evidence: PartText
    organisation: Organisation = ""
    holds_for: HoldsFor = ""
    months: Months = 12
    tags: shapes.Tags = Field(default_factory=list)


class PracticeChange(shapes.Body):
    """What changes about a practice; what is not named stays."""

    title: PracticeTitle = ""
    problem: PartText = ""
    context: PartText = ""
    practice: PartText = ""
    evidence: PartText = ""
    organisation: Organisation = ""
    holds_for: HoldsFor = ""
    months: Months = 12
    tags: shapes.Tags = Field(default_factory=list)
    reason: shapes.Reason = ""


class PracticeReviewIn(shapes.Body):
    """A peer's word, and why."""

    verdict: Literal["approve", "object"]
    source: shapes.Source


class PracticeRatingIn(shapes.Body):
    """Stars, and why."""

    stars: Annotated[int, Field(ge=1, le=STARS, examples=[4])]
    reason: Annotated[str, Field(min_length=1, max_length=500, examples=["It saved us a night."])]


def _said(value: Mapping[str, object]) -> dict[str, object]:
    """Return the values of a call as the form of the pages takes them: tags with commas between."""
    return {name: ",".join(held) if isinstance(held, list) else held for name, held in value.items()}


@router.get("/practices", auth=access.READS, response=answers.of(lists.Listed[PracticeLine]), summary="Practices")
def list_practices(
    request: HttpRequest, response: HttpResponse, show: Show = "proven", after: shapes.Cursor = ""
) -> lists.Listed[PracticeLine]:
    """Return practices."""
    rows = (review_rows() if show == "review" else proven_rows()).select_related("author")
    rows = rows.defer("context", "practice", "evidence", "html")
    return lists.page(request, response, rows, described.lines, keys=KEYS[show], after=after)


@router.get(
    "/me/practices",
    auth=access.OWN,
    response=answers.of(lists.Listed[PracticeLine]),
    summary="One's own practices, newest first",
)
def list_own(request: HttpRequest, response: HttpResponse, after: shapes.Cursor = "") -> lists.Listed[PracticeLine]:
    """Return the practices of the token's member, drafts and those that were sent back or expired among them."""
    rows = own_rows(access.member(request)).select_related("author").defer("context", "practice", "evidence", "html")
    return lists.page(request, response, rows, described.lines, keys={"id": int}, after=after)


@router.post(
    "/practices", auth=access.WRITES, response=answers.written(PracticeOut), summary="Write a draft of a practice"
)
def write_practice(request: HttpRequest, value: PracticeIn) -> Status[PracticeOut]:
    """Begin a practice that only its author and moderators see, until it is put up for review."""
    member = access.member(request)
    trust.check_may_write(member, now=timezone.now())
    form = shapes.checked(PracticeForm(_said(value.model_dump())))
    limits.use("practice", member=member)
    return answers.made(described.practice(writing.draft(form.wanted(), author=member)))


@router.get(PRACTICE, auth=access.READS, response=answers.of(PracticeOut), summary="A practice")
def practice(request: HttpRequest, number: shapes.Number) -> PracticeOut:
    """Return a practice; a draft to its author and to moderators only."""
    return described.practice(find_practice(number, access.reader(request)))


@router.patch(
    PRACTICE, auth=access.WRITES, response=answers.written(PracticeOut, status=200), summary="Change a practice"
)
def change_practice(request: HttpRequest, number: shapes.Number, value: PracticeChange) -> PracticeOut:
    """Change a practice of one's own. When its author changes what peers judge, the review begins anew."""
    member = access.member(request)
    found = find_practice(number, member)
    if not rights.may_edit(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this practice."))
    said = PracticeForm.initial_of(found) | _said(value.model_dump(exclude_unset=True))
    form = shapes.checked(PracticeForm(said))
    limits.use("edit", member=member)
    writing.edit(found, form.wanted(), editor=member, reason=form.cleaned_data["reason"])
    return described.practice(found)


@router.post(
    PRACTICE + "/submit",
    auth=access.WRITES,
    response=answers.written(PracticeOut, status=200),
    summary="Put a draft of a practice up for review",
)
def submit_practice(request: HttpRequest, number: shapes.Number) -> PracticeOut:
    """Put a draft of one's own up for review: from now on everybody reads it."""
    member = access.member(request)
    found = find_practice(number, member)
    if not rights.may_submit(found, member, now=timezone.now()):
        raise PermissionDenied(_("Only its author puts a draft up for review."))
    writing.submit(found)
    return described.practice(found)


@router.get(
    PRACTICE + "/reviews",
    auth=access.READS,
    response=answers.of(lists.Listed[PracticeReview]),
    summary="What peers say of a practice, newest first",
)
def list_practice_reviews(
    request: HttpRequest, response: HttpResponse, number: shapes.Number, after: shapes.Cursor = ""
) -> lists.Listed[PracticeReview]:
    """Return the reviews of the present round."""
    found = find_practice(number, access.reader(request))
    rows = Review.objects.filter(practice=found, round=found.round).select_related("reviewer")
    return lists.page(request, response, rows, described.reviews, keys={"id": int}, after=after)


@router.put(
    PRACTICE + "/review",
    auth=access.WRITES,
    response=answers.written(PracticeOut, status=200),
    summary="Review a practice",
)
def review_practice(request: HttpRequest, number: shapes.Number, value: PracticeReviewIn) -> PracticeOut:
    """Say as a peer whether a practice holds; a second word in the same round replaces the first."""
    member = access.member(request)
    found = find_practice(number, member)
    if not rights.may_review(found, member, now=timezone.now()):
        raise PermissionDenied(_("Peers whom the site knows review practices, and never their own."))
    verdict = Verdict[value.verdict.upper()]
    form = shapes.checked(ReviewForm({"verdict": verdict, "source": value.source}))
    limits.use("post", member=member)
    proving.review(found, reviewer=member, verdict=verdict, source=form.cleaned_data["source"])
    return described.practice(found)


@router.get(
    PRACTICE + "/ratings",
    auth=access.READS,
    response=answers.of(lists.Listed[PracticeRating]),
    summary="Ratings of a practice, newest first",
)
def list_practice_ratings(
    request: HttpRequest, response: HttpResponse, number: shapes.Number, after: shapes.Cursor = ""
) -> lists.Listed[PracticeRating]:
    """Return how much a practice helped others."""
    member = access.reader(request)
    rows = Rating.objects.filter(practice=find_practice(number, member)).select_related("member")
    rows = rows if member is not None and member.moderates else rows.filter(hidden=False)
    return lists.page(request, response, rows, described.ratings, keys={"date": datetime, "id": int}, after=after)


@router.put(
    PRACTICE + "/rating",
    auth=access.WRITES,
    response=answers.written(PracticeOut, status=200),
    summary="Rate a proven practice",
)
def rate_practice(request: HttpRequest, number: shapes.Number, value: PracticeRatingIn) -> PracticeOut:
    """Rate a practice and say why; a second rating of a member replaces the first."""
    member = access.member(request)
    found = find_practice(number, member)
    if not rights.may_rate(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot rate this practice."))
    wanted = shapes.checked(RatingForm(value.model_dump())).cleaned_data
    limits.use("post", member=member)
    rating.rate(found, member=member, stars=wanted["stars"], reason=wanted["reason"])
    return described.practice(found)


@router.post(
    PRACTICE + "/renew",
    auth=access.WRITES,
    response=answers.written(PracticeOut, status=200),
    summary="Say that a practice still holds",
)
def renew_practice(request: HttpRequest, number: shapes.Number) -> PracticeOut:
    """Let a proven practice hold for as long again; its author does, or a moderator."""
    member = access.member(request)
    found = find_practice(number, member)
    if not rights.may_renew(found, member, now=timezone.now()):
        raise PermissionDenied(_("Its author renews a practice."))
    proving.renew(found, actor=member)
    notifications.see(member, about=(kinds.PRACTICE, found.pk))
    return described.practice(found)
