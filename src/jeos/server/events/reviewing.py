"""Reviews of submitted sessions: a score and words of each reviewer, never of who speaks in it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.events import rights
from jeos.server.events.models import Review, Session, State

WORST, BEST = 1, 5


@transaction.atomic
def review(session: Session, *, reviewer: Member, score: int, words: str) -> None:
    """Score a session and say why; a second review replaces the first.

    Raises ValueError for a speaker's own session, one that is decided, and a score that there is not.
    """
    locked = Session.objects.select_for_update(no_key=True, of=("self",)).get(pk=session.pk)
    if locked.state != State.SUBMITTED or not WORST <= score <= BEST or rights.speaks(locked, reviewer):
        raise ValueError(f"session {session.pk} takes no such review from member {reviewer.pk}")
    defaults = {"score": score, "words": words, "date": timezone.now()}
    Review.objects.update_or_create(session=locked, reviewer=reviewer, defaults=defaults)
