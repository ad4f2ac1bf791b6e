"""Members: what everybody may know of one, and who one is oneself."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router
from pydantic import BaseModel, Field

from jeos.server.accounts.models import Member, Role, Trust
from jeos.server.api import access, answers, shapes

router = Router(tags=["Members"])


class Profile(BaseModel):
    """A member, as everybody sees one."""

    handle: str = Field(examples=["ada"])
    name: str = Field(examples=["Ada"])
    about: str = Field(description="plain text")
    role: str = Field(examples=["member"])
    trust: str = Field(examples=["known"])
    joined: datetime
    threads: int
    posts: int
    thanks: int
    url: str = Field(examples=["https://exchange.example/m/ada/"])


class Own(Profile):
    """A member, as the member sees oneself."""

    language: str
    time_zone: str = Field(examples=["UTC"])
    unread: int = Field(description="notifications that were not seen yet")


def _profile(member: Member) -> dict[str, object]:
    return {
        "handle": member.handle,
        "name": member.shown_name,
        "about": member.about,
        "role": Role(member.role).name.lower(),
        "trust": Trust(member.trust).name.lower(),
        "joined": member.joined,
        "threads": member.threads,
        "posts": member.posts,
        "thanks": member.thanks,
        "url": shapes.address(member.get_absolute_url()),
    }


@router.get("/me", auth=access.OWN, response=answers.of(Own), summary="Who I am")
def me(request: HttpRequest) -> Own:
    """Return the member whose token it is."""
    member = access.member(request)
    own = {"language": member.language, "time_zone": member.time_zone, "unread": member.unread}
    return Own.model_validate(_profile(member) | own)


@router.get("/members/{handle}", auth=access.READS, response=answers.of(Profile), summary="A member")
def member(request: HttpRequest, handle: shapes.HandleInPath) -> Profile:
    """Return what everybody may know of a member."""
    return Profile.model_validate(_profile(get_object_or_404(Member, handle=handle, is_active=True)))
