"""Flags and the queue: members say that something is wrong, moderators decide, everything is written down."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import audit, kinds, notifications
from jeos.server.content.models import Case, Flag, FlagReason, Outcome, Reason
from jeos.server.content.reasons import Why

HIDE_AT = 3  # flags of known members that hide something until a moderator looks
SILENCE_DAYS = 7
HIDES = (Outcome.HIDDEN, Outcome.WARNED, Outcome.SILENCED)


@transaction.atomic
def flag(kind: int, number: int, *, member: Member, reason: FlagReason, note: str = "") -> Case:
    """Say that something is wrong. The second word of a member about an open case changes nothing.

    Raises LookupError if there is no such content.
    """
    body = _body(kind, number)
    case, _ = Case.objects.get_or_create(
        kind=kind, number=number, outcome=Outcome.OPEN, defaults={"author_id": body.author_id}
    )
    _, new = Flag.objects.get_or_create(case=case, member=member, defaults={"reason": reason, "note": note})
    if not new:
        return case
    Case.objects.filter(pk=case.pk).update(flags=F("flags") + 1)
    known = case.words.filter(member__trust__gte=Trust.KNOWN).count()
    if known >= HIDE_AT and not body.hidden:
        _hide(kind, number, hidden=True)
        audit.record(None, "content.hide", kind=kind, number=number, details={"because": f"{known} flags"})
    return case


def hold(kind: int, number: int, *, author: int, why: Why) -> Case:
    """Put something into the queue that the site itself wants looked at before others see it."""
    case, _ = Case.objects.get_or_create(kind=kind, number=number, outcome=Outcome.OPEN, defaults={"author_id": author})
    Flag.objects.create(case=case, member=None, reason=FlagReason.SYSTEM, note=why.note, detail=why.detail)
    Case.objects.filter(pk=case.pk).update(flags=F("flags") + 1)
    return case


@transaction.atomic
def decide(case: Case, outcome: Outcome, *, moderator: Member, note: str = "") -> None:
    """Close a case: nothing wrong, hidden, hidden with a warning or a silence. Raises ValueError if it is closed."""
    now = timezone.now()
    closed = Case.objects.filter(pk=case.pk, outcome=Outcome.OPEN).update(
        outcome=outcome, decided=now, decided_by=moderator, note=note
    )
    if not closed:
        raise ValueError(f"case {case.pk} was decided already")
    body = _body(case.kind, case.number)
    hidden = outcome in HIDES
    if body.hidden != hidden:
        _hide(case.kind, case.number, hidden=hidden)
    if outcome == Outcome.SILENCED and case.author_id is not None:
        Member.objects.filter(pk=case.author_id).update(silenced_until=now + timedelta(days=SILENCE_DAYS))
    if outcome in (Outcome.WARNED, Outcome.SILENCED) and case.author_id is not None:
        event = notifications.Event(
            Reason.MODERATION, case.kind, case.number, body.url, note or body.title, moderator.pk
        )
        notifications.tell([case.author_id], event)
    details: dict[str, audit.Json] = {
        "case": case.pk,
        "outcome": Outcome(outcome).name,
        "was_hidden": body.hidden,
        "note": note,
    }
    audit.record(moderator, "case.decide", kind=case.kind, number=case.number, subject=case.author, details=details)


@transaction.atomic
def undo(case: Case, *, moderator: Member) -> None:
    """Take a decision back: what it hid is shown, a silence ends. Raises ValueError for an open or undone case."""
    if case.outcome in (Outcome.OPEN, Outcome.UNDONE):
        raise ValueError(f"case {case.pk} has no decision to take back")
    if case.outcome in HIDES:
        _hide(case.kind, case.number, hidden=False)
    if case.outcome == Outcome.SILENCED and case.author_id is not None:
        Member.objects.filter(pk=case.author_id).update(silenced_until=None)
    details: dict[str, audit.Json] = {"case": case.pk, "outcome": Outcome(case.outcome).name}
    Case.objects.filter(pk=case.pk).update(outcome=Outcome.UNDONE, decided=timezone.now(), decided_by=moderator)
    audit.record(moderator, "case.undo", kind=case.kind, number=case.number, subject=case.author, details=details)


def queue(*, limit: int = 50) -> list[Case]:
    """Return the open cases, most flagged first."""
    rows = Case.objects.filter(outcome=Outcome.OPEN).select_related("author").prefetch_related("words__member")
    return list(rows.order_by("-flags", "opened")[:limit])


def _body(kind: int, number: int) -> kinds.Body:
    known = kinds.find(kind)
    body = known.body(number) if known else None
    if body is None:
        raise LookupError(f"there is no content {kind}/{number}")
    return body


def _hide(kind: int, number: int, *, hidden: bool) -> None:
    known = kinds.find(kind)
    assert known is not None  # whoever asks has just read the content through it
    known.set_hidden(number, hidden)
