"""What the API says of practices, their reviews and ratings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from jeos.server.api import shapes
from jeos.server.practices.models import PARTS, Practice, Rating, Review, State, Verdict


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
    months: int = Field(description="for which it holds once it is proven")
    objections: int = Field(description="of this round of review")
    parts: list[Part]
    version: int
    hidden: bool = Field(description="only its author and moderators see it")


class PracticeReview(shapes.Text):
    """A peer's word on the present round."""

    reviewer: shapes.Author
    verdict: str = Field(examples=["approve"])
    date: datetime


class PracticeRating(BaseModel):
    """How much a practice helped a member, and why."""

    author: shapes.Author
    stars: int = Field(examples=[4])
    reason: str
    date: datetime
    hidden: bool = Field(description="only moderators see it")


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


def lines(rows: Sequence[Practice]) -> list[PracticeLine]:
    """Return practices as a list has them."""
    return [PracticeLine.model_validate(_line(row)) for row in rows]


def practice(row: Practice) -> PracticeOut:
    """Return a practice with its texts."""
    parts = [Part(name=name, source=getattr(row, name), html=str(row.html.get(name, ""))) for name in PARTS]
    more = {"holds_for": row.holds_for, "months": row.months, "parts": parts, "version": row.version}
    return PracticeOut.model_validate(_line(row) | more | {"objections": row.objections, "hidden": row.hidden})


def reviews(rows: Sequence[Review]) -> list[PracticeReview]:
    """Return what peers said."""
    return [
        PracticeReview(
            reviewer=shapes.author(row.reviewer),
            verdict=Verdict(row.verdict).name.lower(),
            source=row.source,
            html=row.html,
            date=row.date,
        )
        for row in rows
    ]


def ratings(rows: Sequence[Rating]) -> list[PracticeRating]:
    """Return ratings of a practice."""
    return [
        PracticeRating(
            author=shapes.author(row.member), stars=row.stars, reason=row.reason, date=row.date, hidden=row.hidden
        )
        for row in rows
    ]
