"""Polls: one question above a thread, options, and each member's choice, which may be changed until it closes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from jeos.server.accounts.models import Member
from jeos.server.forum.models import Option, Poll, Thread, Vote

OPTIONS = 12


@dataclass(frozen=True)
class Shown:
    """A poll as its thread shows it."""

    poll: Poll
    options: list[Option]
    chosen: set[int]
    open: bool

    def percent(self, option: Option) -> int:
        """Return which part of the voters chose an option."""
        return round(100 * option.votes / self.poll.voters) if self.poll.voters else 0


@transaction.atomic
def make(thread: Thread, *, question: str, options: Sequence[str], choices: int, closes: datetime | None) -> Poll:
    """Put a poll above a thread. Raises ValueError without two different options."""
    texts = list(dict.fromkeys(text.strip()[:120] for text in options if text.strip()))[:OPTIONS]
    if len(texts) < 2:
        raise ValueError("a poll needs two options")
    poll = Poll.objects.create(
        thread=thread, question=question, choices=min(max(1, choices), len(texts)), closes=closes
    )
    Option.objects.bulk_create([Option(poll=poll, text=text) for text in texts])
    return poll


def of(thread: Thread, member: Member | None, *, now: datetime) -> Shown | None:
    """Return a thread's poll as somebody sees it."""
    poll = Poll.objects.filter(thread=thread).first()
    if poll is None:
        return None
    options = list(poll.options.all())
    chosen = (
        set(Vote.objects.filter(option__poll=poll, member=member).values_list("option_id", flat=True))
        if member
        else set()
    )
    return Shown(poll=poll, options=options, chosen=chosen, open=poll.closes is None or poll.closes > now)


@transaction.atomic
def vote(poll: Poll, member: Member, chosen: Iterable[int], *, now: datetime) -> None:
    """Set what a member chooses; nothing takes the vote back. Raises ValueError for what cannot be chosen."""
    locked = Poll.objects.select_for_update().get(pk=poll.pk)
    wanted = set(chosen)
    if locked.closes is not None and locked.closes <= now:
        raise ValueError("the poll is closed")
    if len(wanted) > locked.choices:
        raise ValueError(f"at most {locked.choices} can be chosen")
    if wanted - set(locked.options.values_list("pk", flat=True)):
        raise ValueError("the poll has no such option")
    old = set(Vote.objects.filter(option__poll=locked, member=member).values_list("option_id", flat=True))
    Vote.objects.filter(option__in=old - wanted, member=member).delete()
    Vote.objects.bulk_create([Vote(option_id=option, member=member) for option in sorted(wanted - old)])
    Option.objects.filter(pk__in=old - wanted).update(votes=F("votes") - 1)
    Option.objects.filter(pk__in=wanted - old).update(votes=F("votes") + 1)
    change = bool(wanted) - bool(old)
    if change:
        Poll.objects.filter(pk=poll.pk).update(voters=F("voters") + change)
