"""What a member keeps and follows: bookmarks, and content of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Path, Router
from ninja.responses import Status

from jeos.server.accounts.models import Member
from jeos.server.api import access, answers, following, lists, shapes
from jeos.server.api.following import FollowingIn, FollowingOut
from jeos.server.content import following as followed
from jeos.server.content import kinds
from jeos.server.content.models import Bookmark

router = Router(tags=["Bookmarks and following"])

KindInPath = Annotated[
    str, Path(max_length=60, pattern=r"^[a-z_-]+$", description="the kind of what it is about", examples=["idea"])
]


def _readable(name: str, number: int, member: Member) -> int:
    """Return the code of the kind of something that a member may read. Raises Http404."""
    kind = kinds.named(name)
    if kind is None or not kinds.cards([(kind.code, number)], member=member):
        raise Http404
    return kind.code


@router.get(
    "/bookmarks", auth=access.OWN, response=answers.of(lists.Listed[shapes.Card]), summary="What I keep, newest first"
)
def list_bookmarks(
    request: HttpRequest, response: HttpResponse, after: shapes.Cursor = ""
) -> lists.Listed[shapes.Card]:
    """Return the member's own bookmarks."""
    member = access.member(request)
    rows = Bookmark.objects.filter(member=member)

    def shape(found: Sequence[Bookmark]) -> list[shapes.Card]:
        return [shapes.card(card) for card in kinds.cards([(row.kind, row.number) for row in found], member=member)]

    return lists.page(request, response, rows, shape, keys={"date": datetime, "id": int}, after=after)


@router.put(
    "/bookmarks/{kind}/{number}",
    auth=access.WRITES,
    response=answers.written(None, status=204),
    summary="Keep something",
)
def keep(request: HttpRequest, kind: KindInPath, number: shapes.Number) -> Status[None]:
    """Keep content of any kind; what is kept stays kept."""
    member = access.member(request)
    followed.bookmark(member, _readable(kind, number, member), number, wanted=True)
    return answers.done()


@router.delete(
    "/bookmarks/{kind}/{number}",
    auth=access.WRITES,
    response=answers.written(None, status=204),
    summary="Keep something no longer",
)
def drop(request: HttpRequest, kind: KindInPath, number: shapes.Number) -> Status[None]:
    """Remove a bookmark."""
    member = access.member(request)
    followed.bookmark(member, _readable(kind, number, member), number, wanted=False)
    return answers.done()


@router.get(
    "/following/{kind}/{number}",
    auth=access.OWN,
    response=answers.of(FollowingOut),
    summary="How much I hear of something",
)
def followed_content(request: HttpRequest, kind: KindInPath, number: shapes.Number) -> FollowingOut:
    """Return whether the member follows or mutes content."""
    member = access.member(request)
    return following.read(member, _readable(kind, number, member), number)


@router.put(
    "/following/{kind}/{number}",
    auth=access.WRITES,
    response=answers.written(FollowingOut, status=200),
    summary="Follow or mute something",
)
def follow_content(request: HttpRequest, kind: KindInPath, number: shapes.Number, value: FollowingIn) -> FollowingOut:
    """Hear of what happens to content of any kind, or of nothing. Who writes in it follows it already."""
    member = access.member(request)
    return following.follow(member, _readable(kind, number, member), number, value)
