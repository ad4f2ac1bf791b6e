"""Going to a provider and coming back, and the page on which members connect and disconnect accounts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from allauth.account.internal.decorators import login_not_required
from allauth.core import ratelimit
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.internal import flows, statekit
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base.utils import respond_to_login_on_get
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jeos.core.errors import NetworkError, TrustError
from jeos.server.accounts.models import Member
from jeos.server.accounts.organisations import answers, directory, members, tokens
from jeos.server.accounts.organisations.provider import Provider, find
from jeos.server.accounts.visitor import for_members

LOG = logging.getLogger(__name__)
View = Callable[[HttpRequest, Provider], HttpResponse]


def _with_provider(view: View) -> Callable[[HttpRequest, str], HttpResponse]:
    """Give a view its provider, and say it in the page and in the log when that fails."""

    @wraps(view)
    def answer(request: HttpRequest, provider_id: str) -> HttpResponse:
        if find(provider_id) is None:
            raise Http404
        provider: Provider = get_adapter().get_provider(request, provider=provider_id)
        try:
            return view(request, provider)
        except NetworkError as error:
            LOG.warning("%s: %s", provider_id, error)
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return answers.refused(request, answers.NO_ANSWER, label=provider.name, status=status)
        except TrustError as error:
            LOG.warning("%s: %s", provider_id, error)
            return answers.refused(request, answers.NOT_BELIEVED, label=provider.name)

    open_to_all: Callable[[HttpRequest, str], HttpResponse] = login_not_required(answer)
    return never_cache(open_to_all)


@require_http_methods(["GET", "POST"])
@_with_provider
def login(request: HttpRequest, provider: Provider) -> HttpResponse:
    """Send somebody to the provider who pressed its button; ask whoever comes by a link to press one."""
    asked = respond_to_login_on_get(request, provider)
    return asked or provider.redirect_from_request(request)


@require_GET
@_with_provider
def callback(request: HttpRequest, provider: Provider) -> HttpResponse:
    """Take whoever comes back from the provider: sign in, sign up or connect. Raises NetworkError or TrustError."""
    state = statekit.unstash_state(request, provider_id=provider.sub_id, state_id=request.GET.get("state", ""))
    if state is None:
        return answers.refused(request, answers.STALE, label=provider.name)
    settled = provider.settled
    tokens.check_issuer(settled, request.GET.get("iss"))
    code = request.GET.get("code")
    if not code:
        LOG.warning("%s answered %s", provider.sub_id, request.GET.get("error"))
        return answers.refused(request, answers.CANCELLED, label=provider.name)
    challenge = tokens.Challenge(verifier=state.pop("verifier"), nonce=state.pop("nonce"))
    claims = tokens.redeem(settled, challenge, code, back=provider.back)
    if not settled.groups.admit(tokens.groups(settled, claims)):
        return answers.refused(request, answers.NOT_ALLOWED, label=provider.name)
    answer: HttpResponse = complete_social_login(request, provider.login_of(request, claims, state))
    return answer


@require_GET
@for_members
def organisations(request: HttpRequest, member: Member) -> HttpResponse:
    """List the accounts of organisations with which the member signs in."""
    mine = list(SocialAccount.objects.filter(user=member).order_by("pk"))
    connected = [
        {
            "account": one,
            "label": settings.SIGN_IN.label(one.provider),
            "called": _called(one),
            "lasting": _lasting(one),
        }
        for one in mine
    ]
    return render(request, "accounts/organisations.html", {"connected": connected, "at": "organisations"})


@require_POST
@for_members
def connect(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Connect the member with the account in a directory whose login and passphrase are given."""
    found = settings.SIGN_IN.directory(name)
    if found is None:
        raise Http404
    if not ratelimit.consume(request, action="login_failed", key=f"{name}:{member.pk}"):
        messages.error(request, _("Too many attempts. Try again in a while."))
        return redirect("accounts:organisations")
    try:
        person = directory.authenticate(found, request.POST.get("login", ""), request.POST.get("passphrase", ""))
        if person is None:
            messages.error(request, _("This login and passphrase do not fit."))
        else:
            members.connect(member, person, found)
            messages.success(request, _("Connected."))
    except NetworkError as error:
        LOG.warning("%s: %s", name, error)
        messages.error(request, str(answers.NO_ANSWER).format(label=found.label))
    except members.Refused as error:
        messages.error(request, error.messages[0])
    return redirect("accounts:organisations")


def _lasting(account: SocialAccount) -> bool:
    """Tell whether an account is of a directory, which members do not leave by themselves to pass it by."""
    return settings.SIGN_IN.directory(account.provider) is not None


def _called(account: SocialAccount) -> str:
    """Return what somebody is called at a provider, as well as is known."""
    said = account.extra_data
    return str(said.get("preferred_username") or said.get("email") or account.uid)


@require_POST
@for_members
def disconnect(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Disconnect an account, unless the member could not sign in any more.

    Raises PermissionDenied for an account of a directory.
    """
    account = get_object_or_404(SocialAccount, pk=number, user=member)
    if _lasting(account):
        raise PermissionDenied(_("Whoever runs this site can disconnect it; the directory decides until then."))
    try:
        flows.connect.validate_disconnect(request, account)
    except ValidationError:
        messages.error(
            request, _("It is your only way to sign in. Set a passphrase first, or connect another account.")
        )
        return redirect("accounts:organisations")
    account.delete()
    messages.success(request, _("Disconnected."))
    return redirect("accounts:organisations")
