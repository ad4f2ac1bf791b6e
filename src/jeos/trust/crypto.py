"""Check signatures with the system's libcrypto, which each appliance has, where it has no package for cryptography.

    key = verifying(root.keys[keyid])        # a key of python-tuf, which now checks with libcrypto
    key.verify_signature(signature, data)    # raises UnverifiedSignatureError

Three schemes, those of the TUF specification (section 4.2): ed25519, ecdsa-sha2-nistp256 and rsassa-pss-sha256. A key
of any other kind never verifies anything. Parsing is libcrypto's too; we only take the PEM armour off ourselves,
because libcrypto's own reader of PEM may ask for a passphrase.
"""

import base64
import binascii
import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature, SSlibKey

from jeos.core.errors import HostError

LIBRARY = "libcrypto.so.3"  # OpenSSL 3.x: Debian 12 and later
ED25519 = 1087  # NID_ED25519, EVP_PKEY_ED25519: openssl/obj_mac.h
RSA_PSS_PADDING = 6  # RSA_PKCS1_PSS_PADDING: openssl/rsa.h
SALT_LENGTH_AUTO = -2  # RSA_PSS_SALTLEN_AUTO: the length is read from the signature
RSA_BITS = range(2048, 8193)  # weaker is broken, larger is a way to waste our time
KEY_LIMIT = 4096  # characters of a public key as text; RSA with 8192 bits has 1500
SIGNATURE_LIMIT = 2048  # bytes; RSA with 8192 bits has 1024
ARMOUR = re.compile(r"\s*-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")

# Key type and scheme, as metadata names them, and the name of the algorithm in libcrypto.
SCHEMES = {
    ("ed25519", "ed25519"): "ED25519",
    ("ecdsa", "ecdsa-sha2-nistp256"): "EC",
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"): "EC",
    ("rsa", "rsassa-pss-sha256"): "RSA",
}
P256_NAMES = (b"prime256v1", b"P-256")

_POINTER = ctypes.c_void_p
_BYTES = ctypes.c_char_p
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "EVP_PKEY_new_raw_public_key": (_POINTER, (ctypes.c_int, _POINTER, _BYTES, ctypes.c_size_t)),
    "d2i_PUBKEY": (_POINTER, (_POINTER, _POINTER, ctypes.c_long)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_is_a": (ctypes.c_int, (_POINTER, _BYTES)),
    "EVP_PKEY_get_bits": (ctypes.c_int, (_POINTER,)),
    "EVP_PKEY_get_group_name": (ctypes.c_int, (_POINTER, _BYTES, ctypes.c_size_t, _POINTER)),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_sha256": (_POINTER, ()),
    "EVP_DigestVerifyInit": (ctypes.c_int, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestVerify": (ctypes.c_int, (_POINTER, _BYTES, ctypes.c_size_t, _BYTES, ctypes.c_size_t)),
    "EVP_PKEY_CTX_set_rsa_padding": (ctypes.c_int, (_POINTER, ctypes.c_int)),
    "EVP_PKEY_CTX_set_rsa_pss_saltlen": (ctypes.c_int, (_POINTER, ctypes.c_int)),
    "ERR_clear_error": (None, ()),
}


class LibcryptoKey(SSlibKey):
    """A public key whose signatures libcrypto checks."""

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        """Raise UnverifiedSignatureError unless the signature over `data` is this key's."""
        algorithm = SCHEMES.get((self.keytype, self.scheme))
        try:
            raw = bytes.fromhex(signature.signature)
        except (TypeError, ValueError):
            raw = b""
        if algorithm is None or not verify(algorithm, public=self.keyval["public"], signature=raw, data=data):
            raise UnverifiedSignatureError(f"the signature of key {self.keyid} does not hold")


class UnusableKey(SSlibKey):
    """A public key of a kind that we do not use: no signature of it counts."""

    def verify_signature(self, signature: Signature, data: bytes) -> None:
        """Raise UnverifiedSignatureError."""
        raise UnverifiedSignatureError(f"{self.keytype}/{self.scheme} is not used here")


def verifying(key: Key) -> Key:
    """Return a key of python-tuf as one that checks signatures with libcrypto, or, of any other kind, never holds."""
    keyval = key.keyval if isinstance(key.keyval.get("public"), str) else {**key.keyval, "public": ""}
    kind = LibcryptoKey if (key.keytype, key.scheme) in SCHEMES else UnusableKey
    return kind(key.keyid, key.keytype, key.scheme, keyval, key.unrecognized_fields)


def verify(algorithm: str, *, public: str, signature: bytes, data: bytes) -> bool:
    """Tell whether a signature holds; also false for a key that cannot be read, or is not of `algorithm`.

    `algorithm` is ED25519 (`public` is 64 hexadecimal digits), EC on P-256 or RSA with PSS (`public` is PEM); the last
    two with SHA-256. Raises HostError if this system has no libcrypto.
    """
    if not signature or len(signature) > SIGNATURE_LIMIT:
        return False
    with _public_key(algorithm, public) as key:
        if not key or not _fits(key, algorithm):
            return False
        return _verify(key, algorithm, signature=signature, data=data)


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise HostError(f"{LIBRARY} cannot be used: {error}", hint="sudo apt-get install libssl3") from error
    return library


@contextmanager
def _public_key(algorithm: str, text: str) -> Iterator[int | None]:
    """Read a public key; it is None if it cannot be read, and freed when the block ends."""
    library = _library()
    key = _raw_key(text) if algorithm == "ED25519" else _encoded_key(text)
    try:
        yield key
    finally:
        library.EVP_PKEY_free(key)
        library.ERR_clear_error()  # or the next user of this thread's queue reads our errors as its own


def _raw_key(text: str) -> int | None:
    try:
        raw = bytes.fromhex(text) if len(text) <= KEY_LIMIT else b""
    except ValueError:
        return None
    found: int | None = _library().EVP_PKEY_new_raw_public_key(ED25519, None, raw, len(raw))
    return found


def _encoded_key(text: str) -> int | None:
    """Read SubjectPublicKeyInfo in PEM (RFC 7468, section 13)."""
    match = ARMOUR.fullmatch(text) if len(text) <= KEY_LIMIT else None
    try:
        der = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    except binascii.Error:
        return None
    buffer = ctypes.create_string_buffer(der, len(der))
    start = ctypes.c_void_p(ctypes.addressof(buffer))  # d2i moves it to the end of what it has read
    found: int | None = _library().d2i_PUBKEY(None, ctypes.byref(start), len(der)) if der else None
    return found


def _fits(key: int, algorithm: str) -> bool:
    """Tell whether a key is of the algorithm, and neither weak nor absurdly large."""
    library = _library()
    if not library.EVP_PKEY_is_a(key, algorithm.encode()):
        return False
    if algorithm == "RSA":
        return library.EVP_PKEY_get_bits(key) in RSA_BITS
    if algorithm == "EC":
        name = ctypes.create_string_buffer(64)
        return bool(library.EVP_PKEY_get_group_name(key, name, len(name), None)) and name.value in P256_NAMES
    return True


def _verify(key: int, algorithm: str, *, signature: bytes, data: bytes) -> bool:
    library = _library()
    context = library.EVP_MD_CTX_new()
    try:
        options = ctypes.c_void_p()  # belongs to the context
        digest = None if algorithm == "ED25519" else library.EVP_sha256()
        if library.EVP_DigestVerifyInit(context, ctypes.byref(options), digest, None, key) != 1:
            return False
        if algorithm == "RSA" and (
            library.EVP_PKEY_CTX_set_rsa_padding(options, RSA_PSS_PADDING) <= 0
            or library.EVP_PKEY_CTX_set_rsa_pss_saltlen(options, SALT_LENGTH_AUTO) <= 0
        ):
            return False
        return bool(library.EVP_DigestVerify(context, signature, len(signature), data, len(data)) == 1)
    finally:
        library.EVP_MD_CTX_free(context)
