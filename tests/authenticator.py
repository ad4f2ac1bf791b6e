"""The codes that an application for second factors shows."""

import base64
import hmac
import struct

STEP = 30  # seconds


def code(secret: str, moment: float) -> str:
    """Return the code of a moment (RFC 6238 over RFC 4226, section 5.3)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(moment) // STEP), "sha1")
    (value,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(value & 0x7FFFFFFF) % 1_000_000:06}"
