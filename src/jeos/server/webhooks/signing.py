"""Signatures of messages: HMAC-SHA256 over identifier, time and text (Standard Webhooks 1.0, "Signature scheme").

headers = signing.headers(secret, message="msg_…", body=b"{}", now=1767225600)
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from jeos.server.webhooks.models import SECRET_PREFIX


def signature(secret: str, *, message: str, body: bytes, now: int) -> str:
    """Return the signature of a message at a time (seconds since 1970), as "v1,…"."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message}.{now}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(secret: str, *, message: str, body: bytes, now: int) -> dict[str, str]:
    """Return the headers by which a receiver knows a message, its age and who sent it."""
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret, message=message, body=body, now=now),
    }
