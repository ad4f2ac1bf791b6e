"""Votes: each member has some, spends them on open ideas, and has them back when an idea is closed.

What counts is decided in one transaction that holds the member's row and then the idea's, always in this order: two
votes at once are two votes one after the other, and nobody spends more than there is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds
from jeos.server.ideas.models import Idea, Vote

HALF_LIFE = 7 * 86_400  # seconds in which a vote comes to weigh half as much in what is trending
UNIT = 1_000_000  # trends are whole numbers, so that both databases and cursors hold them exactly


class NoVotesLeft(ValueError):  # noqa: N818 - named for what a page says
    """A member has spent all votes."""


def trend(made: datetime, votes: Iterable[datetime]) -> int:
    """Return how much an idea is wanted at present: votes, of which each weighs half of one a week younger.

    It is the logarithm of a sum that grows with time for all alike, so that it changes with votes only and the order of
    two ideas stays right however long nobody votes. The idea itself counts as the first vote.
    """
    weeks = [moment.timestamp() / HALF_LIFE for moment in (made, *votes)]
    newest = max(weeks)
    return round(UNIT * (newest + math.log2(sum(2.0 ** (week - newest) for week in weeks))))


def left(member: Member) -> int:
    """Return how many votes a member has to spend."""
    return max(0, settings.IDEA_VOTES - Vote.objects.filter(member=member, spent=True).count())


@transaction.atomic
def vote(idea: Idea, member: Member, *, wanted: bool, now: datetime | None = None) -> bool:
    """Vote for an idea, or take the vote back; return whether that changed anything.

    Raises NoVotesLeft, and ValueError for an idea that takes no votes.
    """
    Member.objects.select_for_update(no_key=True).get(pk=member.pk)
    locked = Idea.objects.select_for_update(no_key=True).get(pk=idea.pk)
    if locked.closed or locked.hidden:
        raise ValueError(f"idea {idea.pk} takes no votes")
    if not wanted:
        changed = Vote.objects.filter(idea=idea, member=member).delete()[0] > 0
    else:
        changed = not Vote.objects.filter(idea=idea, member=member).exists()
        if changed and not left(member):
            raise NoVotesLeft(f"member {member.pk} has no votes left")
        if changed:
            Vote.objects.create(idea=idea, member=member, date=now or timezone.now())
            following.follow_once(member.pk, kinds.IDEA, idea.pk)
    if changed:
        recount(locked)
        idea.votes, idea.trend = locked.votes, locked.trend
    return changed


def recount(idea: Idea) -> None:
    """Set what an idea's row says about its votes to what is true. The caller holds the row."""
    dates = list(Vote.objects.filter(idea=idea).values_list("date", flat=True))
    idea.votes, idea.trend = len(dates), trend(idea.made, dates)
    Idea.objects.filter(pk=idea.pk).update(votes=idea.votes, trend=idea.trend)


def settle(idea: Idea) -> None:
    """Let votes be spent exactly while their idea can be voted for. The caller holds the row."""
    Vote.objects.filter(idea=idea).update(spent=not (idea.closed or idea.hidden))


def own(member: Member | None, numbers: Iterable[int]) -> set[int]:
    """Return which of some ideas a member voted for."""
    if member is None:
        return set()
    return set(Vote.objects.filter(member=member, idea__in=list(numbers)).values_list("idea_id", flat=True))
