"""How allauth treats whoever comes from an organisation: who gets an account, and whose account it is."""

from __future__ import annotations

from http import HTTPStatus

from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from jeos.server import sign_in
from jeos.server.accounts.models import Member
from jeos.server.accounts.organisations import answers
from jeos.server.accounts.organisations.provider import find

TYPE = "openid_connect"


class Adapter(DefaultSocialAccountAdapter):
    """allauth's hooks."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Return the providers of the server's settings: nothing in the database adds to them, or is asked."""
        return [
            SocialApp(provider=TYPE, provider_id=one.name, name=one.label, client_id=one.client_id)
            for one in settings.SIGN_IN.providers
            if provider in (None, TYPE, one.name) and client_id in (None, one.client_id)
        ]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Tell whether somebody without an account gets one."""
        return _settled(sociallogin).sign_up

    def is_email_verified(self, provider: object, email: str) -> bool:
        """Tell whether a provider's addresses count as confirmed whatever it says."""
        settled = find(provider.app.provider_id)  # type: ignore[attr-defined] # allauth has no types
        return settled is not None and settled.trust_addresses

    def authenticate_by_email(  # type: ignore[override] # a member has no user name of Django's
        self, sociallogin: SocialLogin
    ) -> tuple[Member, str] | None:
        """Return the member who has an address that both sides have seen confirmed, if that is enough here.

        An address that nobody confirmed here may be a stranger's, who waits for its owner to come.
        """
        known = _confirmed_here(sociallogin) if _settled(sociallogin).link_by_address else None
        return (known.user, known.email) if known is not None else None

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Give and take roles; send those away whose address belongs to an account that they have not signed in to."""
        connecting = sociallogin.state.get("process") == "connect"
        if sociallogin.is_existing and not connecting:
            member = sociallogin.user
            assert isinstance(member, Member)
            role = _settled(sociallogin).groups.role(sociallogin.state.get("groups", ()), now=member.role)
            if role != member.role:
                member.role = role
                member.save(update_fields=["role"])
        elif not sociallogin.is_existing and not connecting and _confirmed_here(sociallogin) is not None:
            answer = answers.refused(request, answers.ADDRESS_KNOWN, label=_settled(sociallogin).label)
            answer.status_code = HTTPStatus.CONFLICT
            raise ImmediateHttpResponse(answer)

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: SocialAccount) -> str:
        """Return where a member goes after connecting."""
        return reverse("accounts:organisations")


def _settled(sociallogin: SocialLogin) -> sign_in.Provider:
    found = find(sociallogin.account.provider)
    assert found is not None, sociallogin.account.provider
    return found


def _confirmed_here(sociallogin: SocialLogin) -> EmailAddress | None:
    """Return the confirmed address of a member that the provider has confirmed as well."""
    addresses = [one.email.lower() for one in sociallogin.email_addresses if one.verified]
    rows = EmailAddress.objects.filter(email__in=addresses, verified=True, user__is_active=True)
    found: EmailAddress | None = rows.select_related("user").first()
    return found
