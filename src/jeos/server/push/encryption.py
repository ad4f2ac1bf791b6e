"""Messages that only one browser can read: encrypted as RFC 8291 asks, in one record of RFC 8188.

body = encrypt(b"hello", public_key=subscription.public_key, secret=subscription.secret)
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SALT_BYTES = 16  # RFC 8188, section 2.1
KEY_BYTES, NONCE_BYTES = 16, 12  # AES-128-GCM
RECORD = 4_096  # bytes of a record, which is the whole message (RFC 8291, section 4)
LAST = b"\x02"  # the delimiter of the last record (RFC 8188, section 2)
LONGEST = 3_993  # bytes of a message that every push service takes (RFC 8030, section 7.2; RFC 8291, section 4)
SECRET_BYTES = 16


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as an uncompressed point (65 bytes)."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def read_public(point: bytes) -> ec.EllipticCurvePublicKey:
    """Return a browser's public key. Raises ValueError for what is no point of P-256."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def encrypt(
    text: bytes,
    *,
    public_key: bytes,
    secret: bytes,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return a message encrypted for a browser: the body of a request with `Content-Encoding: aes128gcm`.

    `key` and `salt` are new for each message; only tests give them. Raises ValueError if the text is too long or the
    browser's key is none.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a message of {len(text)} bytes is longer than {LONGEST}")
    key = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(SALT_BYTES)
    ours = public_bytes(key.public_key())
    shared = key.exchange(ec.ECDH(), read_public(public_key))
    start = _derive(shared, salt=secret, info=b"WebPush: info\0" + public_key + ours, length=32)
    content_key = _derive(start, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=KEY_BYTES)
    nonce = _derive(start, salt=salt, info=b"Content-Encoding: nonce\0", length=NONCE_BYTES)
    sealed = AESGCM(content_key).encrypt(nonce, text + LAST, None)
    return salt + RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours + sealed


def _derive(material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Return a key by HKDF (RFC 5869) with SHA-256."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(material)
