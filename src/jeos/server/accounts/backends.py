"""Who checks what is typed into the form of signing in."""

from __future__ import annotations

from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest


class Passphrases(AuthenticationBackend):
    """The exchange's own passphrases, unless organisations alone say who signs in."""

    def authenticate(  # type: ignore[override] # as allauth's own, which takes an address as well
        self, request: HttpRequest | None, **credentials: object
    ) -> AbstractBaseUser | None:
        """Return the member with this login and passphrase, or None."""
        return super().authenticate(request, **credentials) if settings.SIGN_IN.passphrases else None
