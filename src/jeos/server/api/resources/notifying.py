"""What a member was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from jeos.server.api import access, answers, lists, shapes
from jeos.server.content import kinds, notifications
from jeos.server.content.models import Notification, Reason

router = Router(tags=["Notifications"])


class Told(BaseModel):
    """One thing that a member was told; several of one sort about one thing are one, until it is seen."""

    reason: str = Field(examples=["mention"])
    kind: str = Field(examples=["thread"])
    number: int
    title: str
    url: str
    actor: str | None = Field(description="the handle of who caused it")
    count: int
    seen: bool
    date: datetime


def _shape(rows: Sequence[Notification]) -> list[Told]:
    return [
        Told(
            reason=Reason(row.reason).name.lower(),
            kind=kind.name if (kind := kinds.find(row.kind)) else "",
            number=row.number,
            title=row.title,
            url=shapes.address(row.url),
            actor=row.actor.handle if row.actor else None,
            count=row.count,
            seen=row.seen,
            date=row.date,
        )
        for row in rows
    ]


@router.get(
    "/notifications", auth=access.OWN, response=answers.of(lists.Listed[Told]), summary="What I was told, newest first"
)
def list_notifications(request: HttpRequest, response: HttpResponse, after: shapes.Cursor = "") -> lists.Listed[Told]:
    """Return the member's own notifications."""
    rows = Notification.objects.filter(member=access.member(request)).select_related("actor")
    return lists.page(request, response, rows, _shape, keys={"date": datetime, "id": int}, after=after)


@router.post(
    "/notifications/seen",
    auth=access.WRITES,
    response=answers.written(None, status=204),
    summary="I have seen them all",
)
def see_notifications(request: HttpRequest) -> Status[None]:
    """Let all notifications count as seen."""
    notifications.see(access.member(request))
    return answers.done()
