"""The conversation with a provider: where the browser goes, and what the code that it brings back is worth.

Formats: OpenID Connect Core 1.0, sections 3.1.2 to 3.1.3.7 and 5.3; PKCE, RFC 7636; issuer in the answer, RFC 9207.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import jwt

from jeos.core.errors import TrustError
from jeos.server.accounts.organisations import discovery
from jeos.server.accounts.organisations.discovery import Claims
from jeos.server.sign_in import Provider

RANDOM = 32  # bytes of a verifier and of a nonce
CLOCKS = 60  # seconds by which two clocks may differ
ADDRESS_CLAIMS = ("email", "email_verified")


@dataclass(frozen=True)
class Challenge:
    """What this browser must bring back: kept in its session, shown to nobody else."""

    verifier: str
    nonce: str

    @classmethod
    def make(cls) -> Challenge:
        """Return one that nobody can guess."""
        return cls(verifier=secrets.token_urlsafe(RANDOM), nonce=secrets.token_urlsafe(RANDOM))


def leave_for(provider: Provider, challenge: Challenge, *, state: str, back: str) -> str:
    """Return the address at which the provider asks who somebody is. Raises NetworkError or TrustError."""
    digest = hashlib.sha256(challenge.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "scope": " ".join(provider.scopes),
        "state": state,
        "nonce": challenge.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    address = discovery.of(provider).authorization
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"


def check_issuer(provider: Provider, named: str | None) -> None:
    """Raise TrustError if an answer comes from another provider than the one that was asked."""
    if named is None and not discovery.of(provider).says_issuer:
        return
    if named != provider.issuer:
        raise TrustError(f"the answer is from {named} and not from {provider.issuer}", hint="sign in anew")


def redeem(provider: Provider, challenge: Challenge, code: str, *, back: str) -> Claims:
    """Return what the provider says of whoever brought a code, after all checks. Raises NetworkError or TrustError."""
    endpoints = discovery.of(provider)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "code_verifier": challenge.verifier,
    }
    headers = {}
    if provider.secret and endpoints.basic:
        pair = f"{quote(provider.client_id, safe='')}:{quote(provider.secret, safe='')}"  # RFC 6749, section 2.3.1
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form["client_id"] = provider.client_id
        if provider.secret:
            form["client_secret"] = provider.secret
    answer = discovery.ask(provider, "POST", endpoints.token, form=form, headers=headers)
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise TrustError(f"{provider.issuer} sent no id_token", hint="is the scope openid permitted to the client?")
    claims = verified(provider, token, nonce=challenge.nonce)
    return {**claims, **_more(provider, claims, answer.get("access_token"))}


def verified(provider: Provider, token: str, *, nonce: str) -> Claims:
    """Return what a token says if its provider signed it for us, now, for this browser. Raises TrustError."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in discovery.ALGORITHMS:
            raise TrustError(f"the token is signed with {header.get('alg')}", hint="choose RS256 at the provider")
        claims: Claims = jwt.decode(
            token,
            key=discovery.key(provider, header.get("kid")).key,
            algorithms=[header["alg"]],
            audience=provider.client_id,
            issuer=provider.issuer,
            leeway=CLOCKS,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise TrustError(
            f"the token of {provider.issuer} does not hold: {error}", hint="are the clocks right?"
        ) from error
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise TrustError("the token was made for another attempt to sign in", hint="sign in anew")
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise TrustError(f"the token was made for {claims['azp']}", hint="is client_id right?")
    return claims


def _more(provider: Provider, claims: Claims, access: object) -> Mapping[str, object]:
    """Return what the provider tells on request besides the token. Raises TrustError if that is about another."""
    address = discovery.of(provider).userinfo
    if not address or not isinstance(access, str):
        return {}
    said = discovery.ask(provider, "GET", address, headers={"authorization": f"Bearer {access}"})
    if said.get("sub") != claims["sub"]:
        raise TrustError(f"{provider.issuer} speaks of {said.get('sub')} and of {claims['sub']}", hint="see its log")
    # An address and whether it is confirmed belong together: never one from here and the other from there.
    kept = {name: value for name, value in said.items() if name not in ("iss", "aud", "exp", "iat", "nonce")}
    return kept | ({name: said.get(name) for name in ADDRESS_CLAIMS} if "email" in said else {})


def groups(provider: Provider, claims: Claims) -> frozenset[str]:
    """Return the groups that a claim names; `realm_access.roles` is the claim `roles` within `realm_access`."""
    value: object = claims.get(provider.groups_claim)
    if value is None:
        value = claims
        for part in provider.groups_claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(str(one) for one in value) if isinstance(value, list) else frozenset()
