"""Who may do what with practices, decided from values alone; `member` is None for visitors."""

from __future__ import annotations

from datetime import datetime

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import trust
from jeos.server.practices.models import PUBLIC, RATED, Practice, State

PEER = Trust.KNOWN  # whom the site knows for some weeks of work may say what is proven


def may_see(practice: Practice, member: Member | None) -> bool:
    """Tell whether somebody may read a practice. Drafts, and what is hidden, are for the author and moderators."""
    if practice.state in PUBLIC and not practice.hidden:
        return True
    return member is not None and (member.moderates or member.pk == practice.author_id)


def may_edit(practice: Practice, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may change a practice: its author while it is shown, moderators always."""
    if member is None or not trust.may_write(member, now=now):
        return False
    return member.moderates or (member.pk == practice.author_id and not practice.hidden)


def may_submit(practice: Practice, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may put a draft up for review: its author."""
    own = member is not None and member.pk == practice.author_id and trust.may_write(member, now=now)
    return own and practice.state == State.DRAFT and not practice.hidden


def may_review(practice: Practice, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may review a practice: a peer whom the site knows, never its author."""
    if member is None or not trust.may_write(member, now=now) or member.pk == practice.author_id:
        return False
    peer = member.trust >= PEER or member.moderates
    return peer and practice.state == State.REVIEW and not practice.hidden


def may_rate(practice: Practice, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may rate a practice: everybody but its author, once it was proven."""
    if member is None or not trust.may_write(member, now=now) or member.pk == practice.author_id:
        return False
    return practice.state in RATED and not practice.hidden


def may_renew(practice: Practice, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may say that a practice still holds: its author, or a moderator."""
    if member is None or not trust.may_write(member, now=now) or practice.hidden:
        return False
    return practice.state in RATED and (member.moderates or member.pk == practice.author_id)
