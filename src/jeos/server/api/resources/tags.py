"""Tags, and what has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router
from pydantic import BaseModel, Field

from jeos.server.api import access, answers, following, lists, problems, shapes
from jeos.server.api.following import FollowingIn, FollowingOut
from jeos.server.content import kinds
from jeos.server.content.following import TAG
from jeos.server.content.models import Tag, Tagged

router = Router(tags=["Tags"])


class TagLine(BaseModel):
    """A tag in a list."""

    name: str = Field(examples=["uefi"])
    description: str
    uses: int = Field(description="on how much content it is")
    url: str = Field(examples=["https://exchange.example/tags/uefi/"])


class TagWhole(TagLine):
    """A tag with its relatives."""

    wider: str | None = Field(description="the tag that this one is part of")
    narrower: list[str]
    synonyms: list[str] = Field(description="other words that lead here")


def _line(tag: Tag) -> TagLine:
    url = shapes.address(tag.get_absolute_url())
    return TagLine(name=tag.name, description=tag.description, uses=tag.uses, url=url)


@router.get("/tags", auth=access.READS, response=answers.of(lists.Listed[TagLine]), summary="Tags, most used first")
def list_tags(request: HttpRequest, response: HttpResponse, after: shapes.Cursor = "") -> lists.Listed[TagLine]:
    """Return the tags that are in use."""
    rows = Tag.objects.filter(synonym_of=None, uses__gt=0)
    return lists.page(
        request, response, rows, lambda found: [_line(tag) for tag in found], keys={"uses": int, "id": int}, after=after
    )


@router.get("/tags/{name}", auth=access.READS, response=answers.of(TagWhole), summary="A tag")
def tag(request: HttpRequest, name: shapes.NameInPath) -> TagWhole:
    """Return a tag; for a synonym, the tag that is meant."""
    found = _find(name)
    return TagWhole(
        **_line(found).model_dump(),
        wider=found.wider.name if found.wider else None,
        narrower=list(found.narrower.filter(synonym_of=None).order_by("name").values_list("name", flat=True)),
        synonyms=list(found.synonyms.order_by("name").values_list("name", flat=True)),
    )


def _find(name: str) -> Tag:
    found = get_object_or_404(Tag.objects.select_related("synonym_of", "wider"), name=name)
    return found.synonym_of or found


@router.get(
    "/tags/{name}/content",
    auth=access.READS,
    response=answers.of(lists.Listed[shapes.Card]),
    summary="What has a tag, newest first",
)
def tagged(
    request: HttpRequest,
    response: HttpResponse,
    name: shapes.NameInPath,
    kind: shapes.WordInQuery = "",
    after: shapes.Cursor = "",
) -> lists.Listed[shapes.Card]:
    """Return content of all kinds, or of one, that has a tag."""
    rows = Tagged.objects.filter(tag=_find(name))
    if kind:
        wanted = kinds.named(kind)
        if wanted is None:
            raise problems.Invalid([problems.Fault(where="kind", message="there is no such kind of content")])
        rows = rows.filter(kind=wanted.code)
    member = access.reader(request)

    def shape(found: Sequence[Tagged]) -> list[shapes.Card]:
        return [shapes.card(card) for card in kinds.cards([(row.kind, row.number) for row in found], member=member)]

    return lists.page(request, response, rows, shape, keys={"date": datetime, "id": int}, after=after)


@router.put(
    "/tags/{name}/following",
    auth=access.WRITES,
    response=answers.written(FollowingOut, status=200),
    summary="Follow or mute a tag",
)
def follow_tag(request: HttpRequest, name: shapes.NameInPath, value: FollowingIn) -> FollowingOut:
    """Hear of new content with a tag, or of none."""
    return following.follow(access.member(request), TAG, _find(name).pk, value)
