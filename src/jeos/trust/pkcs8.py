"""Private keys in files: PKCS#8 in PEM, readable by openssl; those that stay offline are sealed with a passphrase.

`cryptography` seals with 2,048 rounds of PBKDF2, which a stolen stick does not withstand. So the envelope is written
here: PBES2 with scrypt and AES-256-CBC, as `openssl pkcs8 -topk8 -scrypt` does it. Sources: RFC 5958, section 3
(EncryptedPrivateKeyInfo), RFC 8018, appendix A.4 (PBES2), RFC 7914, section 7 (scrypt in it), X.690 (DER).
"""

import base64
import hashlib
import os
import textwrap

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from jeos.core.errors import InputError, TrustError

# The most that openssl reads without being told to use more memory (16 MiB), and OWASP's repetitions for that size.
COST, BLOCK, REPEAT = 1 << 14, 8, 5
SALT_SIZE = 16  # bytes
AES_BITS = 256

PBES2 = "1.2.840.113549.1.5.13"
SCRYPT = "1.3.6.1.4.1.11591.4.11"
AES_256_CBC = "2.16.840.1.101.3.4.1.42"
SEALED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"

INTEGER, OCTETS, OBJECT, SEQUENCE = 0x02, 0x04, 0x06, 0x30  # tags of DER


def seal(key: PrivateKeyTypes, passphrase: str) -> bytes:
    """Return a private key as PEM that only the passphrase opens."""
    salt, start = os.urandom(SALT_SIZE), os.urandom(algorithms.AES.block_size // 8)
    secret = hashlib.scrypt(
        passphrase.encode(), salt=salt, n=COST, r=BLOCK, p=REPEAT, maxmem=256 * COST * BLOCK, dklen=AES_BITS // 8
    )
    padder = PKCS7(algorithms.AES.block_size).padder()
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(start)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    derivation = _sequence(_object(SCRYPT), _sequence(_octets(salt), _integer(COST), _integer(BLOCK), _integer(REPEAT)))
    encryption = _sequence(_object(AES_256_CBC), _octets(start))
    scheme = _sequence(_object(PBES2), _sequence(derivation, encryption))
    text = base64.b64encode(_sequence(scheme, _octets(sealed))).decode()
    label = "ENCRYPTED PRIVATE KEY"
    return f"-----BEGIN {label}-----\n{textwrap.fill(text, 64)}\n-----END {label}-----\n".encode()


def plain(key: PrivateKeyTypes) -> bytes:
    """Return a private key as PEM that anybody can use who can read it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def is_sealed(pem: bytes) -> bool:
    """Tell whether a private key needs a passphrase."""
    return SEALED in pem


def load(pem: bytes, *, passphrase: str | None, name: str) -> PrivateKeyTypes:
    """Read a private key; `name` is for messages.

    Raises TrustError if the passphrase is wrong, InputError if there is no key in it.
    """
    try:
        return load_pem_private_key(pem, None if passphrase is None else passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if is_sealed(pem) and passphrase is not None:
            raise TrustError(f"the passphrase of {name} is wrong", hint="or the file is damaged") from None
        raise InputError(
            f"{name} cannot be read: {error}", hint="a private key in PEM (PKCS#8) belongs there"
        ) from None


def _sequence(*parts: bytes) -> bytes:
    return _tagged(SEQUENCE, b"".join(parts))


def _octets(value: bytes) -> bytes:
    return _tagged(OCTETS, value)


def _integer(value: int) -> bytes:
    return _tagged(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _object(text: str) -> bytes:
    first, second, *rest = (int(part) for part in text.split("."))
    return _tagged(OBJECT, b"".join(_base128(part) for part in (40 * first + second, *rest)))


def _base128(value: int) -> bytes:
    found = bytes([value & 0x7F])
    while value := value >> 7:
        found = bytes([value & 0x7F | 0x80]) + found
    return found


def _tagged(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
