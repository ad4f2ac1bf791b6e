"""The practices' part of the API: what was proven, and what waits for peers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from jeos.server.api import access, answers, lists, shapes
from jeos.server.practices.models import PARTS, Practice, State
from jeos.server.practices.views.access import find_practice
from jeos.server.practices.views.lists import proven_rows, review_rows

router = Router(tags=["Practices"])

Show = Annotated[Literal["proven", "top", "review"], Query(description="proven last, rated best, or waiting for peers")]
KEYS: dict[str, dict[str, type]] = {
    "proven": {"proven": datetime, "id": int},
    "top": {"score": int, "id": int},
    "review": {"submitted": datetime, "id": int},
}


class PracticeLine(BaseModel):
    """A practice in a list."""

    number: int = Field(examples=[12])
    title: str = Field(examples=["Test the restore every month"])
    organisation: str
    tags: list[str]
    author: shapes.Author
    state: str = Field(examples=["proven"])
    made: datetime
    proven: datetime | None
    expires: datetime | None
    approvals: int = Field(description="of this round of review")
    ratings: int
    average: float = Field(description="of the ratings, from 1 to 5; 0 where there are none")
    comments: int
    url: str


class Part(shapes.Text):
    """One of the four parts of a practice."""

    name: str = Field(examples=["problem"])


class PracticeOut(PracticeLine):
    """A practice with its texts."""

    holds_for: str = Field(description="versions, as its author says them")
    parts: list[Part]
    version: int
    hidden: bool = Field(description="only its author and moderators see it")


def _line(row: Practice) -> dict[str, object]:
    return {
        "number": row.pk,
        "title": row.title,
        "organisation": row.organisation,
        "tags": row.tags.split(),
        "author": shapes.author(row.author),
        "state": State(row.state).name.lower(),
        "made": row.made,
        "proven": row.proven,
        "expires": row.expires,
        "approvals": row.approvals,
        "ratings": row.ratings,
        "average": round(row.average, 2),
        "comments": row.comments,
        "url": shapes.address(row.get_absolute_url()),
    }


def _lines(rows: Sequence[Practice]) -> list[PracticeLine]:
    return [PracticeLine.model_validate(_line(row)) for row in rows]


@router.get("/practices", auth=access.READS, response=answers.of(lists.Listed[PracticeLine]), summary="Practices")
def list_practices(
    request: HttpRequest, response: HttpResponse, show: Show = "proven", after: shapes.Cursor = ""
) -> lists.Listed[PracticeLine]:
    """Return practices."""
    rows = (review_rows() if show == "review" else proven_rows()).select_related("author")
    rows = rows.defer("context", "practice", "evidence", "html")
    return lists.page(request, response, rows, _lines, keys=KEYS[show], after=after)


@router.get("/practices/{number}", auth=access.READS, response=answers.of(PracticeOut), summary="A practice")
def practice(request: HttpRequest, number: shapes.Number) -> PracticeOut:
    """Return a practice; a draft to its author and to moderators only."""
    found = find_practice(number, access.reader(request))
    parts = [Part(name=name, source=getattr(found, name), html=str(found.html.get(name, ""))) for name in PARTS]
    more = {"holds_for": found.holds_for, "parts": parts, "version": found.version, "hidden": found.hidden}
    return PracticeOut.model_validate(_line(found) | more)
