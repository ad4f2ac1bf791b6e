"""Who may do what with ideas, decided from values alone; `member` is None for visitors."""

from __future__ import annotations

from datetime import datetime

from jeos.server.accounts.models import Member
from jeos.server.content import trust
from jeos.server.ideas.models import Idea, Status


def may_see(idea: Idea, member: Member | None) -> bool:
    """Tell whether somebody may read an idea. Its author sees it while it is hidden, to know what became of it."""
    return not idea.hidden or (member is not None and (member.moderates or member.pk == idea.author_id))


def may_vote(idea: Idea, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may vote for an idea or take a vote back."""
    return trust.may_write(member, now=now) and not idea.closed and not idea.hidden


def may_edit(idea: Idea, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may change an idea: its author until the team has answered it, moderators always."""
    if member is None or not trust.may_write(member, now=now):
        return False
    own = idea.author_id == member.pk and idea.status == Status.OPEN and not idea.hidden
    return member.moderates or own
