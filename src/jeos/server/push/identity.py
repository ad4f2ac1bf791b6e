"""By which push services know the site: a key that is made once, and signed words that name it (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from jeos.core.errors import HostError
from jeos.server import secret
from jeos.server.push.encryption import public_bytes

NAME = "push-key"
HOLDS = 12 * 3_600  # seconds; RFC 8292, section 2 allows a day


@lru_cache(maxsize=4)
def key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """Return the site's key, which is kept in `folder`, and make it if there is none yet.

    Browsers subscribe to this key: another one ends all subscriptions. Raises HostError if others can read it, or if it
    is no key of P-256.
    """
    path = folder / NAME
    content = secret.kept(path, lock=folder / ".push.lock", make=_made, hint=f"chmod 600 {path}")
    try:
        found = load_pem_private_key(content, password=None)
    except ValueError as error:
        raise HostError(f"{path} is no key: {error}", hint="bring it back from a backup") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise HostError(f"{path} is no key of P-256", hint="bring it back from a backup")
    return found


def _made() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public(folder: Path) -> str:
    """Return the public key as browsers want it: an uncompressed point in base64url."""
    return base64.urlsafe_b64encode(public_bytes(key(folder).public_key())).decode().rstrip("=")


def authorization(endpoint: str, *, folder: Path, contact: str, now: int) -> str:
    """Return the `Authorization` of a message to a push service; `now` in seconds since 1970."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now + HOLDS, "sub": contact}
    return f"vapid t={jwt.encode(claims, key(folder), algorithm='ES256')}, k={public(folder)}"
