"""Following and muting through the API: one shape for content and for what holds content."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from jeos.server.accounts.models import Member
from jeos.server.api import shapes
from jeos.server.content import following
from jeos.server.content.models import Level

LEVELS = {"followed": int(Level.FOLLOWED), "muted": int(Level.MUTED), "neither": 0}
NAMES = {number: name for name, number in LEVELS.items()}


class FollowingIn(shapes.Body):
    """How much one wants to hear of something."""

    level: Literal["followed", "muted", "neither"]


class FollowingOut(BaseModel):
    """How much one hears of something."""

    level: str = Field(examples=["followed"])


def read(member: Member, kind: int, number: int) -> FollowingOut:
    """Return how much a member hears of something."""
    return FollowingOut(level=NAMES[following.level(member, kind, number)])


def follow(member: Member, kind: int, number: int, wanted: FollowingIn) -> FollowingOut:
    """Follow something, mute it, or neither."""
    following.set_level(member, kind, number, LEVELS[wanted.level])
    return read(member, kind, number)
