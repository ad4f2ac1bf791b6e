"""How allauth makes members and speaks to them: our handles, our mail."""

import itertools
import re
from collections.abc import Iterator

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from jeos.server.accounts.models import HANDLE, HANDLE_LENGTH, Member

# Handles that would look like the site itself, or be an address of it.
RESERVED = frozenset(
    (
        *("admin", "administrator", "moderator", "moderators", "staff", "system", "root", "support", "security"),
        *("jeos", "exchange", "everyone", "all", "here", "postmaster", "webmaster", "abuse", "noreply", "no-reply"),
    )
)


class Adapter(DefaultAccountAdapter):
    """allauth's hooks."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Tell whether somebody may make an account with a passphrase."""
        return bool(settings.SIGN_IN.passphrases)

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
