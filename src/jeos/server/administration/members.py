"""What administrators do about a member: role and trust, silence, suspension, removal; each is written into the log."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member, Role, Trust
from jeos.server.content import audit

SHOWN = ("team", "silenced", "suspended")  # what the list can be narrowed to


def find(text: str, shown: str, *, now: datetime) -> QuerySet[Member]:
    """Return members whose handle begins with a text, or whose address it is; and only some of them."""
    rows = Member.objects.filter(left_at=None)
    if text:
        rows = rows.filter(Q(handle__startswith=text.lower().removeprefix("@")) | Q(email=text))
    match shown:
        case "team":
            rows = rows.filter(role__gte=Role.MODERATOR)
        case "silenced":
            rows = rows.filter(silenced_until__gt=now)
        case "suspended":
            rows = rows.filter(is_active=False)
    return rows


def _guard(member: Member, *, actor: Member) -> None:
    """Raise ValueError for the administrator's own account: so nobody is shut out, and one administrator stays."""
    if member.pk == actor.pk:
        raise ValueError(_("That is your own account; another administrator has to do it."))
    if member.left_at is not None:
        raise ValueError(_("This member has left."))


@transaction.atomic
def set_standing(member: Member, *, role: Role, trust: Trust, actor: Member) -> None:
    """Give a member a role and a trust. Raises ValueError for one's own account."""
    _guard(member, actor=actor)
    details: dict[str, audit.Json] = {
        "role": f"{Role(member.role).name} → {role.name}",
        "trust": f"{Trust(member.trust).name} → {trust.name}",
    }
    Member.objects.filter(pk=member.pk).update(role=role, trust=trust)
    audit.record(actor, "member.standing", subject=member, details=details)


@transaction.atomic
def silence(member: Member, *, days: int, actor: Member, now: datetime) -> None:
    """Let a member read but not write for so many days; 0 ends that. Raises ValueError for one's own account."""
    _guard(member, actor=actor)
    Member.objects.filter(pk=member.pk).update(silenced_until=now + timedelta(days=days) if days else None)
    audit.record(actor, "member.silence", subject=member, details={"days": days})


@transaction.atomic
def suspend(member: Member, on: bool, *, actor: Member, note: str) -> None:
    """Shut a member out, everywhere and at once, or let the member in again. Raises ValueError for oneself."""
    _guard(member, actor=actor)
    Member.objects.filter(pk=member.pk).update(is_active=not on)
    if on:
        leaving.end_sessions(member)
    audit.record(actor, "member.suspend" if on else "member.restore", subject=member, details={"note": note})


@transaction.atomic
def remove(member: Member, *, actor: Member) -> None:
    """Delete everything that says who a member is, as leaving does. Raises ValueError for one's own account."""
    _guard(member, actor=actor)
    audit.record(actor, "member.remove", subject=member)
    leaving.leave(member)
