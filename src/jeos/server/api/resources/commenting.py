"""Comments below content of any kind that takes them, and flags about content of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router
from ninja.responses import Status
from pydantic import Field

from jeos.server.accounts.models import Member
from jeos.server.api import access, answers, lists, shapes
from jeos.server.content import comments, kinds, limits, moderation, trust
from jeos.server.content.forms import CommentEditForm, CommentForm, FlagForm
from jeos.server.content.models import Comment, FlagReason

router = Router(tags=["Comments and flags"])

OF_KIND, OF_NUMBER = "the kind of what it is about", "the number of what it is about"
Kind = Annotated[str, Field(max_length=60, pattern=r"^[a-z_-]+$", description=OF_KIND, examples=["idea"])]
About = Annotated[int, Field(ge=1, le=shapes.LARGEST, description=OF_NUMBER, examples=[12])]


class CommentOut(shapes.Text):
    """A comment."""

    number: int
    kind: str = Field(description="what it is about", examples=["idea"])
    about: int = Field(description="the number of what it is about", examples=[12])
    author: shapes.Author
    made: datetime
    edited: datetime | None
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


class CommentIn(shapes.Body):
    """A new comment."""

    kind: Kind
    about: About
    source: shapes.Source


class CommentChange(shapes.Body):
    """A change of a comment."""

    source: shapes.Source
    reason: shapes.Reason = ""


class FlagIn(shapes.Body):
    """What should be looked at, and why."""

    kind: Kind
    about: About
    reason: Literal["spam", "rude", "off_topic", "unsafe", "other"]
    note: Annotated[str, Field(max_length=500)] = ""


def _shape(rows: Sequence[Comment]) -> list[CommentOut]:
    return [
        CommentOut(
            number=row.pk,
            kind=kind.name if (kind := kinds.find(row.kind)) else "",
            about=row.number,
            author=shapes.author(row.author),
            source=row.source,
            html=row.html,
            made=row.made,
            edited=row.edited,
            hidden=row.hidden,
            url=shapes.address(row.get_absolute_url()),
        )
        for row in rows
    ]


def _readable(name: str, number: int, member: Member | None, *, comments: bool = False) -> tuple[int, int]:
    """Return kind and number of something that somebody may read. Raises Http404."""
    kind = kinds.named(name)
    if kind is None or (comments and kind.count_comments is None):
        raise Http404
    if not kinds.cards([(kind.code, number)], member=member):
        raise Http404
    return kind.code, number


@router.get(
    "/comments", auth=access.READS, response=answers.of(lists.Listed[CommentOut]), summary="Comments, oldest first"
)
def list_comments(
    request: HttpRequest,
    response: HttpResponse,
    kind: Annotated[str, Query(max_length=60, pattern=r"^[a-z_-]+$", description=OF_KIND, examples=["idea"])],
    about: Annotated[int, Query(ge=1, le=shapes.LARGEST, description=OF_NUMBER, examples=[12])],
    after: shapes.Cursor = "",
) -> lists.Listed[CommentOut]:
    """Return the comments on something."""
    member = access.reader(request)
    code, number = _readable(kind, about, member, comments=True)
    rows = Comment.objects.filter(kind=code, number=number).select_related("author")

    def shape(found: Sequence[Comment]) -> list[CommentOut]:
        return _shape([row for row in found if comments.may_see(row, member)])

    return lists.page(request, response, rows, shape, keys={"id": int}, after=after, rising=True)


@router.post("/comments", auth=access.WRITES, response=answers.written(CommentOut), summary="Comment on something")
def write_comment(request: HttpRequest, value: CommentIn) -> Status[CommentOut]:
    """Write a comment."""
    member = access.member(request)
    code, number = _readable(value.kind, value.about, member, comments=True)
    trust.check_may_write(member, now=timezone.now())
    form = shapes.checked(CommentForm({"source": value.source}))
    limits.use("post", member=member)
    made = comments.write(code, number, author=member, source=form.cleaned_data["source"])
    return answers.made(_shape([made])[0])


@router.patch(
    "/comments/{number}",
    auth=access.WRITES,
    response=answers.written(CommentOut, status=200),
    summary="Change a comment",
)
def change_comment(request: HttpRequest, number: shapes.Number, value: CommentChange) -> CommentOut:
    """Change a comment of one's own."""
    member = access.member(request)
    found = get_object_or_404(Comment.objects.select_related("author"), pk=number)
    if not comments.may_see(found, member) or not kinds.cards([(found.kind, found.number)], member=member):
        raise Http404
    if not comments.may_edit(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this comment."))
    form = shapes.checked(CommentEditForm({"source": value.source, "reason": value.reason}))
    limits.use("edit", member=member)
    comments.edit(found, editor=member, source=form.cleaned_data["source"], reason=form.cleaned_data["reason"])
    return _shape([found])[0]


@router.post("/flags", auth=access.WRITES, response=answers.written(None, status=204), summary="Ask moderators to look")
def flag(request: HttpRequest, value: FlagIn) -> Status[None]:
    """Say that something is wrong with content. The second word about it changes nothing."""
    member = access.member(request)
    code, number = _readable(value.kind, value.about, member)
    form = shapes.checked(FlagForm({"reason": FlagReason[value.reason.upper()], "note": value.note}))
    limits.use("flag", member=member)
    moderation.flag(code, number, member=member, reason=FlagReason(form.cleaned_data["reason"]), note=value.note)
    return answers.done()
