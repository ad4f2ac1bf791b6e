"""Reviews by peers: when enough approve, a practice is proven, for a time; its author renews it, or it expires."""

from __future__ import annotations

import calendar
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import audit, following, kinds, notifications, texts
from jeos.server.content.models import Reason, Reference
from jeos.server.content.notifications import Event
from jeos.server.practices.models import RATED, Practice, Review, State, Verdict
from jeos.server.practices.writing import hold


def later(moment: datetime, *, months: int) -> datetime:
    """Return the same day some months later, or the last day of that month where there is no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def is_enough(*, approvals: int, objections: int) -> bool:
    """Tell whether peers have approved: each objection asks for one approval more."""
    needed: int = settings.PRACTICE_APPROVALS
    return approvals - objections >= needed


@transaction.atomic
def review(practice: Practice, *, reviewer: Member, verdict: Verdict, source: str, now: datetime | None = None) -> None:
    """Say as a peer whether a practice holds; a second word in the same round replaces the first.

    Raises ValueError for the author, and for what is not in review (any more).
    """
    now = now or timezone.now()
    locked = hold(practice)
    if locked.state != State.REVIEW or locked.hidden or reviewer.pk == locked.author_id:
        raise ValueError(f"practice {practice.pk} takes no review from member {reviewer.pk}")
    rendered, _mentioned = texts.render(source)
    Review.objects.update_or_create(
        practice=locked,
        round=locked.round,
        reviewer=reviewer,
        defaults={"verdict": verdict, "source": source, "html": rendered.html, "date": now},
    )
    Reference.note(kinds.PRACTICE, locked.pk, source)
    words = Review.objects.filter(practice=locked, round=locked.round)
    locked.approvals = words.filter(verdict=Verdict.APPROVE).count()
    locked.objections = words.filter(verdict=Verdict.OBJECT).count()
    if is_enough(approvals=locked.approvals, objections=locked.objections):
        locked.state, locked.proven = State.PROVEN, now
        locked.expires = later(now, months=locked.months)
    locked.save(update_fields=["approvals", "objections", "state", "proven", "expires"])
    following.follow_once(reviewer.pk, kinds.PRACTICE, locked.pk)
    event = Event(Reason.REVIEW, kinds.PRACTICE, locked.pk, locked.get_absolute_url(), locked.title, reviewer.pk)
    notifications.tell([locked.author_id], event)
    if locked.state == State.PROVEN:
        from jeos.server.practices import tasks  # tasks import what proves, to be able to end it

        tasks.announce.enqueue(locked.pk)
    practice.refresh_from_db()


@transaction.atomic
def renew(practice: Practice, *, actor: Member, now: datetime | None = None) -> None:
    """Say that a practice still holds, for as long again. Raises ValueError for what was never proven."""
    now = now or timezone.now()
    locked = hold(practice)
    if locked.state not in RATED:
        raise ValueError(f"practice {practice.pk} was not proven")
    locked.state, locked.renewed = State.PROVEN, now
    locked.expires = later(now, months=locked.months)
    locked.save(update_fields=["state", "renewed", "expires"])
    if actor.pk != locked.author_id:
        audit.record(actor, "practice.renew", kind=kinds.PRACTICE, number=locked.pk)
    practice.refresh_from_db()


@transaction.atomic
def expire(number: int, *, now: datetime) -> bool:
    """End the time of a practice and ask its author to renew it; return whether it was this call that did.

    State and notification are one transaction, and the state changes once: nobody is asked twice.
    """
    due = Practice.objects.filter(pk=number, state=State.PROVEN, expires__lte=now)
    if not due.update(state=State.EXPIRED):
        return False
    practice = Practice.objects.get(pk=number)
    event = Event(Reason.RENEW, kinds.PRACTICE, number, practice.get_absolute_url(), practice.title, None)
    if not practice.hidden:
        notifications.tell([practice.author_id], event)
    return True
