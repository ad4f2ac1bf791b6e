"""A browser as push services know it: keys of its own, and the reading of what was encrypted for it (RFC 8291)."""

import base64
import hashlib
import hmac
import json
import os
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def plain(text: str) -> bytes:
    """Return what base64url says."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def words(data: bytes) -> str:
    """Return bytes in base64url."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _derive(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF in its two steps (RFC 5869, sections 2.2 and 2.3), for one block."""
    start = hmac.new(salt, material, hashlib.sha256).digest()
    return hmac.new(start, info + b"\x01", hashlib.sha256).digest()[:length]


@dataclass
class PushBrowser:
    """A subscription's secrets, which never leave the browser."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def public(self) -> bytes:
        """Return the public key as the page sends it."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def form(self, endpoint: str) -> dict[str, str]:
        """Return what the page's script sends."""
        return {"endpoint": endpoint, "p256dh": words(self.public), "auth": words(self.secret)}

    def read(self, body: bytes) -> bytes:
        """Return the text of a message. Raises InvalidTag if it is for another or was changed."""
        salt, size = body[:16], int.from_bytes(body[16:20], "big")
        length = body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
        start = _derive(shared, self.secret, b"WebPush: info\0" + self.public + theirs, 32)
        content_key = _derive(start, salt, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _derive(start, salt, b"Content-Encoding: nonce\0", 12)
        text = AESGCM(content_key).decrypt(nonce, sealed, None).rstrip(b"\0")
        assert text[-1:] == b"\x02"
        return text[:-1]


def claims(authorization: str) -> dict[str, object]:
    """Return what a push service learns of who sends, if the signature is right (RFC 8292). Raises InvalidSignature."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    head, body, signature = parts["t"].split(".")
    assert json.loads(plain(head)) == {"typ": "JWT", "alg": "ES256"}
    raw = plain(signature)
    encoded = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), plain(parts["k"]))
    key.verify(encoded, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    found: dict[str, object] = json.loads(plain(body))
    return {**found, "k": parts["k"]}
