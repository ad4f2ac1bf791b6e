"""The ideas' part of the API: read them, suggest, vote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router
from ninja.responses import Status as Answer
from pydantic import Field

from jeos.server.accounts.models import Member
from jeos.server.api import access, answers, lists, problems, shapes
from jeos.server.content import limits, trust
from jeos.server.ideas import rights, suggesting, voting
from jeos.server.ideas.forms import IdeaForm
from jeos.server.ideas.models import TITLE_LENGTH, Idea, Status
from jeos.server.ideas.views.access import find_idea, find_own
from jeos.server.ideas.views.lists import KEYS

router = Router(tags=["Ideas"])

Order = Annotated[
    Literal["trending", "top", "new"], Query(description="open ones by votes of late or by all, or all by age")
]


class IdeaOut(shapes.Text):
    """An idea, how many want it, and what the team says."""

    number: int = Field(examples=[12])
    title: str = Field(examples=["Boot from a network share"])
    tags: list[str]
    author: shapes.Author
    made: datetime
    edited: datetime | None
    status: str = Field(examples=["planned"])
    answer: str = Field(description="of the team, as Markdown")
    votes: int
    voted: bool = Field(description="the caller did")
    comments: int
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


class IdeaIn(shapes.Body):
    """A new idea."""

    title: Annotated[str, Field(max_length=TITLE_LENGTH, examples=["Boot from a network share"])]
    source: shapes.Source
    tags: shapes.Tags = Field(default_factory=list)


def _shape(rows: Sequence[Idea], member: Member | None) -> list[IdeaOut]:
    own = voting.own(member, [row.pk for row in rows])
    return [
        IdeaOut(
            number=row.pk,
            title=row.title,
            source=row.source,
            html=row.html,
            tags=row.tags.split(),
            author=shapes.author(row.author),
            made=row.made,
            edited=row.edited,
            status=Status(row.status).name.lower(),
            answer=row.answer,
            votes=row.votes,
            voted=row.pk in own,
            comments=row.comments,
            hidden=row.hidden,
            url=shapes.address(row.get_absolute_url()),
        )
        for row in rows
    ]


@router.get("/ideas", auth=access.READS, response=answers.of(lists.Listed[IdeaOut]), summary="Ideas")
def list_ideas(
    request: HttpRequest, response: HttpResponse, order: Order = "trending", after: shapes.Cursor = ""
) -> lists.Listed[IdeaOut]:
    """Return ideas."""
    member = access.reader(request)
    rows = Idea.objects.filter(hidden=False).select_related("author")
    if order != "new":
        rows = rows.filter(closed=False)
    return lists.page(request, response, rows, lambda found: _shape(found, member), keys=KEYS[order], after=after)


@router.post("/ideas", auth=access.WRITES, response=answers.written(IdeaOut), summary="Suggest an idea")
def suggest(request: HttpRequest, value: IdeaIn) -> Answer[IdeaOut]:
    """Post an idea. Search first whether somebody had it already."""
    member = access.member(request)
    trust.check_may_write(member, now=timezone.now())
    said = {"title": value.title, "source": value.source, "tags": ",".join(value.tags), "seen": True}
    wanted = shapes.checked(IdeaForm(said)).cleaned_data
    limits.use("idea", member=member)
    made = suggesting.post(author=member, title=wanted["title"], source=wanted["source"], tag_names=wanted["tags"])
    return answers.made(_shape([made], member)[0])


@router.get("/ideas/{number}", auth=access.READS, response=answers.of(IdeaOut), summary="An idea")
def idea(request: HttpRequest, number: shapes.Number) -> IdeaOut:
    """Return an idea; for one that was merged, the idea that it became part of."""
    member = access.reader(request)
    found = find_idea(number, member)
    return _shape([found.merged_into or found], member)[0]


def _vote(request: HttpRequest, number: int, *, wanted: bool) -> IdeaOut:
    member = access.member(request)
    found = find_own(number, member)
    if not rights.may_vote(found, member, now=timezone.now()):
        raise PermissionDenied(_("This idea takes no votes from you."))
    limits.use("vote", member=member)
    try:
        voting.vote(found, member, wanted=wanted)
    except voting.NoVotesLeft as error:
        detail = _("You have spent all your votes. Take one back, or wait until an idea that you want is closed.")
        raise problems.Conflict(detail) from error
    return _shape([found], member)[0]


@router.put(
    "/ideas/{number}/vote",
    auth=access.WRITES,
    response=answers.written(IdeaOut, status=200),
    summary="Vote for an idea",
)
def vote(request: HttpRequest, number: shapes.Number) -> IdeaOut:
    """Spend a vote; a second one for the same idea changes nothing."""
    return _vote(request, number, wanted=True)


@router.delete(
    "/ideas/{number}/vote",
    auth=access.WRITES,
    response=answers.written(IdeaOut, status=200),
    summary="Take a vote back",
)
def unvote(request: HttpRequest, number: shapes.Number) -> IdeaOut:
    """Take a vote back, to spend it on another idea."""
    return _vote(request, number, wanted=False)
