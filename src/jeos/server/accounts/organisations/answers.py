"""What somebody sees who could not be signed in: one page that says why, and what to do."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

NO_ANSWER = _("{label} does not answer at present. Nothing is wrong with your account; try again in a while.")
NOT_BELIEVED = _("What {label} answered could not be believed, so that nobody was signed in. Try once more.")
STALE = _("This attempt to sign in has ended, or it began in another browser. Begin again.")
CANCELLED = _("You were not signed in: {label} says that it was cancelled, or that you may not.")
NOT_ALLOWED = _("Your account at {label} is not meant for this site. Whoever looks after it there can change that.")
CONNECTED_OTHER = _("That account at {label} is connected with another member.")
NO_ACCOUNT = _("You have no account here, and {label} makes none. Ask whoever runs this site.")
NO_ADDRESS = _("{label} knows no e-mail address of you, without which there is no account here.")
NO_PASSKEY = _("{label} decides whether you may sign in. Use your login and passphrase there.")
ADDRESS_KNOWN = _(
    "There is an account with your address already. Sign in to it as before, and connect {label} in its settings."
)


def refused(
    request: HttpRequest, reason: str | Promise, *, label: str, status: int = HTTPStatus.FORBIDDEN
) -> HttpResponse:
    """Return the page that says why nobody was signed in."""
    answer = render(request, "accounts/not_signed_in.html", {"reason": str(reason).format(label=label)}, status=status)
    answer["Cache-Control"] = "no-store"
    return answer
