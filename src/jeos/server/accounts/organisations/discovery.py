"""What a provider of OpenID Connect says about itself, and its keys: asked for when somebody signs in, and kept.

    endpoints = discovery.of(provider)        # asks at most once an hour
    endpoints.token

No page that is only read asks anything. Requests go where the administrator's settings and the provider say, inner
networks included: other members cannot choose these addresses, so that the rules of `outside` for those do not apply.
They are encrypted (http is for a provider on this very machine), follow no redirect and are bounded in time and size.

Format: OpenID Connect Discovery 1.0, section 3; RFC 8414; RFC 7517 (keys).
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import jwt

from jeos.core.errors import NetworkError, TrustError
from jeos.server import outside
from jeos.server.sign_in import LOOPBACK, Provider

KEPT = 3_600.0  # seconds for which an answer is believed
KEYS_AGAIN = 60.0  # seconds that must pass before keys are asked for again because one is missing
LIMIT = 256 << 10  # bytes of an answer
SECONDS = 8.0  # for a request
ANYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
WELL_KNOWN = "/.well-known/openid-configuration"
# Those that a public key checks (RFC 7518, section 3.1): no "none", and no HMAC with the client's secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

Claims = Mapping[str, object]


@dataclass(frozen=True)
class Endpoints:
    """A provider's addresses, and how it works."""

    authorization: str
    token: str
    userinfo: str  # empty if there is none
    keys: str
    basic: bool  # the secret goes into a header, not into the form
    says_issuer: bool  # answers name their issuer (RFC 9207)


@dataclass
class _Kept:
    endpoints: Endpoints | None = None
    asked: float = 0.0
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    keys_asked: float = 0.0


_kept: dict[Provider, _Kept] = {}


def forget() -> None:
    """Ask everything anew."""
    _kept.clear()


def of(provider: Provider) -> Endpoints:
    """Return a provider's addresses. Raises NetworkError without an answer, TrustError for one that is another's."""
    kept = _kept.setdefault(provider, _Kept())
    if kept.endpoints is None or time.monotonic() - kept.asked > KEPT:
        kept.endpoints = _read(provider, ask(provider, "GET", provider.issuer.rstrip("/") + WELL_KNOWN))
        kept.asked = time.monotonic()
    return kept.endpoints


def key(provider: Provider, name: str | None) -> jwt.PyJWK:
    """Return the key of that name, or the only one. Raises TrustError if the provider has none, NetworkError."""
    kept = _kept.setdefault(provider, _Kept())
    age = time.monotonic() - kept.keys_asked
    if not kept.keys or age > KEPT or (_chosen(kept.keys, name) is None and age > KEYS_AGAIN):
        answer = ask(provider, "GET", of(provider).keys)
        try:
            found = jwt.PyJWKSet.from_dict(dict(answer)).keys
        except jwt.PyJWTError as error:
            raise TrustError(f"the keys of {provider.issuer} make no sense: {error}", hint="see its log") from error
        kept.keys = {one.key_id or "": one for one in found if one.public_key_use in (None, "sig")}
        kept.keys_asked = time.monotonic()
    chosen = _chosen(kept.keys, name)
    if chosen is None:
        raise TrustError(f"{provider.issuer} has no key {name}", hint="did it change its keys this minute? try again")
    return chosen


def _chosen(keys: Mapping[str, jwt.PyJWK], name: str | None) -> jwt.PyJWK | None:
    if name is None:
        return next(iter(keys.values())) if len(keys) == 1 else None
    return keys.get(name)


def ask(
    provider: Provider,
    method: str,
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Claims:
    """Send a request to a provider and return the object that it answers with. Raises NetworkError."""
    rules = outside.Rules(plain=plain(provider), networks=ANYWHERE)
    sent = {"accept": "application/json", **(headers or {})}
    body = b""
    if form is not None:
        body = urlencode(form).encode()
        sent["content-type"] = "application/x-www-form-urlencoded"
    context = ssl.create_default_context(cafile=str(provider.ca_file)) if provider.ca_file else None
    answer = outside.request(
        method, address, rules=rules, body=body, headers=sent, seconds=SECONDS, limit=LIMIT, context=context
    )
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if answer.status != 200 or not answer.whole or not isinstance(said, dict):
        reason = said.get("error") if isinstance(said, dict) else None
        raise NetworkError(
            f"{address} answered {answer.status}{f' {reason}' if isinstance(reason, str) else ''}",
            hint="are issuer, client_id and client_secret right?",
        )
    return said


def plain(provider: Provider) -> bool:
    """Tell whether a provider is on this very machine and may be asked without encryption."""
    parts = urlsplit(provider.issuer)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def _read(provider: Provider, said: Claims) -> Endpoints:
    """Return the addresses that a provider's answer names. Raises TrustError if it is another's, or lacks one."""
    if said.get("issuer") != provider.issuer:
        raise TrustError(
            f"{provider.issuer} calls itself {said.get('issuer')}", hint="write its issuer as it does, to the last /"
        )
    methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Endpoints(
        authorization=_address(provider, said, "authorization_endpoint"),
        token=_address(provider, said, "token_endpoint"),
        userinfo=_address(provider, said, "userinfo_endpoint") if said.get("userinfo_endpoint") else "",
        keys=_address(provider, said, "jwks_uri"),
        basic=not isinstance(methods, list) or "client_secret_post" not in methods,
        says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _address(provider: Provider, said: Claims, name: str) -> str:
    address = said.get(name)
    if not isinstance(address, str) or not address.startswith("http://" if plain(provider) else "https://"):
        raise TrustError(f"{provider.issuer} has no encrypted {name}: {address}", hint="see its configuration")
    return address
