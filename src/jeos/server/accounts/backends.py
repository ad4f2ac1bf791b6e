"""Who checks what is typed into the form of signing in: the exchange's own passphrases, then the directories."""

from __future__ import annotations

import logging

from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from jeos.core.errors import NetworkError
from jeos.server import rows
from jeos.server.accounts.models import Member
from jeos.server.accounts.organisations import answers, directory, members

LOG = logging.getLogger(__name__)


class Returning(ModelBackend):
    """Finds the member of a session: each page of a member asks for one."""

    def get_user(self, user_id: object) -> Member | None:
        """Return the member with this number, who may have left or be locked out: then None."""
        found = rows.by_number(Member, int(str(user_id)))
        return found if found is not None and self.user_can_authenticate(found) else None


class Passphrases(Returning, AuthenticationBackend):
    """The exchange's own passphrases, unless organisations alone say who signs in."""

    def authenticate(  # type: ignore[override] # as allauth's own, which takes an address as well
        self, request: HttpRequest | None, **credentials: object
    ) -> AbstractBaseUser | None:
        """Return the member with this login and passphrase, or None.

        Members of a directory have no passphrase here, even if they have set one: the directory could not lock it.
        """
        if not settings.SIGN_IN.passphrases:
            return None
        member = super().authenticate(request, **credentials)
        return None if isinstance(member, Member) and members.managed_by(member) else member


class Directories(Returning):
    """The directories of the server's settings, one after the other."""

    def authenticate(  # type: ignore[override] # logins are names or addresses, as the form has them
        self, request: HttpRequest | None, **credentials: object
    ) -> AbstractBaseUser | None:
        """Return the member who has this login and passphrase in a directory, or None.

        Raises Refused if a directory does not answer and none knows the login, or knows it and nobody is signed in.
        """
        login = str(credentials.get("username") or credentials.get("email") or "")
        silent = None
        for one in settings.SIGN_IN.directories:
            try:
                person = directory.authenticate(one, login, str(credentials.get("password") or ""))
            except NetworkError as error:
                LOG.warning("%s: %s", one.name, error)
                silent = silent or one
                continue
            if person is not None:
                member = members.member_of(person, one)
                return member if member.is_active else None
        if silent is not None:
            raise members.Refused(answers.NO_ANSWER, silent)
        return None
