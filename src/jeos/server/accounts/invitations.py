"""Invitations: addresses that open the form for new accounts on a site that is not open to everybody."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Invitation, Member

KEY = "invitation"  # in the session of somebody who came with one


def make(*, by: Member, note: str, accounts: int, days: int, now: datetime) -> Invitation:
    """Make an invitation for so many accounts, which holds so many days."""
    return Invitation.objects.create(made_by=by, note=note, left=accounts, expires=now + timedelta(days=days))


def address(invitation: Invitation) -> str:
    """Return where an invitation is taken up."""
    return reverse("accounts:invited", args=[invitation.code])


def find(code: str, *, now: datetime) -> Invitation | None:
    """Return the invitation with a code, if it still holds."""
    return Invitation.objects.filter(code=code, left__gt=0, expires__gt=now).first()


def held(request: HttpRequest) -> Invitation | None:
    """Return the invitation with which somebody came, if it still holds."""
    code = request.session.get(KEY)
    return find(code, now=timezone.now()) if isinstance(code, str) else None


def use(request: HttpRequest) -> None:
    """Use an invitation up, by one statement. Raises PermissionDenied if another was quicker."""
    found = held(request)
    if found is None or not Invitation.objects.filter(pk=found.pk, left__gt=0).update(left=F("left") - 1):
        raise PermissionDenied(_("This invitation does not hold any more."))
