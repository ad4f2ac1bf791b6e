"""How allauth makes members and speaks to them: our handles, our mail."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.webauthn.internal.flows import did_use_passwordless_login
from allauth.socialaccount.forms import SignupForm
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from jeos.server.accounts import blocking, invitations, site
from jeos.server.accounts.models import HANDLE, HANDLE_LENGTH, Entry, Member
from jeos.server.accounts.organisations import answers, members

# Handles that would look like the site itself, or be an address of it.
RESERVED = frozenset(
    (
        *("admin", "administrator", "moderator", "moderators", "staff", "system", "root", "support", "security"),
        *("jeos", "exchange", "everyone", "all", "here", "postmaster", "webmaster", "abuse", "noreply", "no-reply"),
    )
)


class Adapter(DefaultAccountAdapter):
    """allauth's hooks."""

    def pre_login(self, request: HttpRequest, user: AbstractBaseUser, **options: Any) -> HttpResponse | None:
        """Send those away who come with a passkey alone although a directory decides about them."""
        assert isinstance(user, Member)
        label = members.managed_by(user) if did_use_passwordless_login(request, user) else ""
        if label:
            return answers.refused(request, answers.NO_PASSKEY, label=label)
        return super().pre_login(request, user, **options)

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Return the handle to take. Raises ValidationError for one that cannot be had."""
        handle = username.lower()
        HANDLE(handle)
        if len(handle) > HANDLE_LENGTH:
            raise ValidationError(_("A handle has at most {n} characters.").format(n=HANDLE_LENGTH))
        if handle in RESERVED or handle.startswith("left-"):
            raise ValidationError(_("This handle is kept for the site."))
        if not shallow and Member.objects.filter(handle=handle).exists():
            raise ValidationError(_("Somebody has this handle already."))
        return handle

    def clean_email(self, email: str) -> str:
        """Return an address. Raises ValidationError for one that the site takes no members from."""
        cleaned = str(super().clean_email(email))
        if blocking.is_blocked_mail(cleaned):
            raise ValidationError(_("Addresses of this mail domain are not taken here."))
        return cleaned

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Tell whether who asks may make an account with a passphrase."""
        if not settings.SIGN_IN.passphrases:
            return False
        entry = site.current().entry
        return entry == Entry.OPEN or (entry == Entry.INVITED and invitations.held(request) is not None)

    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: BaseForm, commit: bool = True
    ) -> AbstractBaseUser:
        """Make the account; on a site that asks for invitations, use one up, unless an organisation vouches."""
        if site.current().entry == Entry.INVITED and commit and not isinstance(form, SignupForm):
            invitations.use(request)
        return super().save_user(request, user, form, commit)

    def generate_unique_username(self, txts: list[str | None], regex: str | None = None) -> str:
        """Return a free handle that comes close to what a foreign account is called."""
        for text in (*txts, "member"):
            base = re.sub(r"[^a-z0-9]+", "-", (text or "").split("@")[0].lower()).strip("-")[: HANDLE_LENGTH - 6]
            if len(base) >= 2:
                taken = set(Member.objects.filter(handle__startswith=base).values_list("handle", flat=True))
                return next(name for name in _candidates(base) if name not in taken | RESERVED)
        raise AssertionError("the last text is always usable")


def _candidates(base: str) -> Iterator[str]:
    yield base
    for number in itertools.count(2):
        yield f"{base}-{number}"
