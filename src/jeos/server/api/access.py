"""Who calls: a member's program with a token, or anybody.

An operation says by `auth=` what it needs: `READS` takes anybody, `OWN` a member, `WRITES` one whose token may write.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from jeos.server.accounts import blocking
from jeos.server.accounts.models import Member, Token
from jeos.server.content import limits


@dataclass(frozen=True)
class Caller:
    """Who calls; no member is anybody."""

    member: Member | None


class Unknown(Exception):  # noqa: N818 - named for what the answer says
    """The call has no token, or one that does not hold."""


class Door(HttpBearer):
    """Looks at the token of a call."""

    anybody = False
    writing = False

    def __call__(self, request: HttpRequest) -> Caller:
        """Return who calls. Raises Unknown, PermissionDenied or TooOften."""
        said = request.headers.get("Authorization")
        if said is None and self.anybody:
            return Caller(None)
        scheme, _space, text = (said or "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unknown(_("This needs a personal token, as in: Authorization: Bearer jeos_…"))
        return self.authenticate(request, text.strip())

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """Return the member whose token this is. Raises Unknown, PermissionDenied or TooOften."""
        now = timezone.now()
        found = Token.find(token, now=now)
        if found is None:
            raise Unknown(_("There is no such token, or it has expired."))
        limits.use("api", member=found.member)
        if self.writing and not found.writes:
            raise PermissionDenied(_("This token may read only."))
        if self.writing:
            blocking.check_network(request.META.get("REMOTE_ADDR", ""), found.member)
        if found.used_on != now.date():
            Token.objects.filter(pk=found.pk).update(used_on=now.date())
        return Caller(found.member)


class Reader(Door):
    """Anybody, or a member."""

    anybody = True


class Owner(Door):
    """A member."""


class Writer(Door):
    """A member whose token may write."""

    writing = True


READS, OWN, WRITES = Reader(), Owner(), Writer()


def reader(request: HttpRequest) -> Member | None:
    """Return the member who calls, or None."""
    caller = getattr(request, "auth")  # noqa: B009 - set by ninja, unknown to Django's type
    assert isinstance(caller, Caller)
    return caller.member


def member(request: HttpRequest) -> Member:
    """Return the member who calls an operation that needs one."""
    found = reader(request)
    assert found is not None
    return found
