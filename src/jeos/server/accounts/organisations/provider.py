"""A provider as allauth sees it: how the browser is sent there, and what a member is made of."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from jeos.server import sign_in
from jeos.server.accounts.models import NAME_LENGTH, Member
from jeos.server.accounts.organisations import tokens
from jeos.server.accounts.organisations.discovery import Claims

KEPT = ("sub", "email", "preferred_username", "name")  # of what a provider says; the rest is nobody's business


def find(name: str) -> sign_in.Provider | None:
    """Return the provider of that name in the server's settings."""
    return next((one for one in settings.SIGN_IN.providers if one.name == name), None)


class Provider(OpenIDConnectProvider):
    """Takes the place of allauth's, whose addresses are this package's `urls`."""

    @property
    def settled(self) -> sign_in.Provider:
        """Return what the server's settings say about the provider."""
        found = find(self.app.provider_id)
        assert found is not None, self.app.provider_id  # the adapter makes apps of nothing else
        return found

    @property
    def back(self) -> str:
        """Return the address to which the provider sends browsers back: of the site's name, whatever a request says."""
        return settings.SITE_URL + reverse("openid_connect_callback", args=[self.settled.name])

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: object = None, **ignored: object
    ) -> HttpResponse:
        """Send the browser to the provider. Raises NetworkError or TrustError.

        The answer is a page and no redirect: browsers hold the whole chain of redirects after a form against
        `form-action` of the policy (CSP 3, section 6.4.1), and where a provider sends people next, nobody knows.
        Nothing of the request goes into the provider's address but what is made here.
        """
        challenge = tokens.Challenge.make()
        state = self.stash_redirect_state(
            request, process, next_url, data, verifier=challenge.verifier, nonce=challenge.nonce
        )
        address = tokens.leave_for(self.settled, challenge, state=state, back=self.back)
        answer = render(request, "accounts/leave_for.html", {"address": address, "label": self.name})
        answer["Cache-Control"] = "no-store"
        answer["Referrer-Policy"] = "no-referrer"
        return answer

    def login_of(self, request: HttpRequest, claims: Claims, state: dict[str, Any]) -> SocialLogin:
        """Return what allauth goes on with."""
        login: SocialLogin = self.sociallogin_from_response(request, dict(claims))
        assert isinstance(login.user, Member)
        groups = tokens.groups(self.settled, claims)
        login.user.role = self.settled.groups.role(groups, now=login.user.role)
        login.user.name = str(claims.get("name") or "")[:NAME_LENGTH]
        login.state = {**state, "groups": sorted(groups)}
        return login

    def extract_extra_data(self, data: Claims) -> dict[str, object]:
        """Return what is kept with the connection."""
        return {name: data[name] for name in KEPT if data.get(name)}

    def extract_uid(self, data: Claims) -> str:
        """Return what the provider calls somebody, for ever."""
        return str(data["sub"])
