"""By which push services know the site: a key that is made once, and signed words that name it (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from jeos.core import files
from jeos.core.errors import HostError
from jeos.server.push.encryption import public_bytes

NAME = "push-key"
PRIVATE = 0o600
HOLDS = 12 * 3_600  # seconds; RFC 8292, section 2 allows a day


@lru_cache(maxsize=4)
def key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """Return the site's key, which is kept in `folder`, and make it if there is none yet.

    Browsers subscribe to this key: another one ends all subscriptions. Raises HostError if others can read it, or if it
    is no key of P-256.
    """
    path = folder / NAME
    with files.locked(folder / ".push.lock"):
        if not path.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            text = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            files.write(path, text, mode=PRIVATE)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise HostError(f"others can read {path} (mode {mode:o})", hint=f"chmod 600 {path}")
    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise HostError(f"{path} is no key: {error}", hint="bring it back from a backup") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise HostError(f"{path} is no key of P-256", hint="bring it back from a backup")
    return found


def public(folder: Path) -> str:
    """Return the public key as browsers want it: an uncompressed point in base64url."""
    return _base64(public_bytes(key(folder).public_key()))


def authorization(endpoint: str, *, folder: Path, contact: str, now: int) -> str:
    """Return the `Authorization` of a message to a push service; `now` in seconds since 1970."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now + HOLDS, "sub": contact}
    words = ".".join(_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ES256"}, claims))
    r, s = decode_dss_signature(key(folder).sign(words.encode(), ec.ECDSA(hashes.SHA256())))
    signature = _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))  # RFC 7518, section 3.4
    return f"vapid t={words}.{signature}, k={public(folder)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
