"""Search over all content."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import BaseModel

from jeos.server.api import access, answers, shapes
from jeos.server.content import kinds, limits, search
from jeos.server.content.areas import closed_areas

router = Router(tags=["Search"])
FOUND = 60  # hits of one search; who finds nothing among them adds a word

Words = Annotated[
    str,
    Query(
        min_length=1,
        max_length=300,
        pattern=r"^[^\x00]*$",
        description='words, "phrases", -words, tag:NAME, by:HANDLE, kind:NAME, after:DATE, before:DATE',
        examples=['"boot order" tag:uefi'],
    ),
]


class Found(BaseModel):
    """What a search found, best first; there is no second page."""

    items: list[shapes.Card]


@router.get("/search", auth=access.READS, response=answers.of(Found), summary="Search")
def find(request: HttpRequest, q: Words) -> Found:
    """Return content that has all words, in title or tags first, then in texts, then in replies."""
    member = access.reader(request)
    query = search.parse(q.strip())
    if query.empty:
        return Found(items=[])
    limits.use("search", member=member, address=request.META.get("REMOTE_ADDR", ""))
    hits = search.index().find(query, limit=FOUND, hidden_areas=closed_areas(member))
    by_key = {(hit.kind, hit.number): hit for hit in hits}
    cards = kinds.cards(by_key, member=member)
    return Found(items=[shapes.card(card, excerpt=by_key[card.kind, card.number].excerpt) for card in cards])
