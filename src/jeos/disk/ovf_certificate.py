"""The certificate of an OVF package: a signature of the manifest, and the signer's X.509 certificate (DSP0243, 5.3).

    SHA256(web.mf)= 3a6f…
    -----BEGIN CERTIFICATE-----

The signature is RSA's with PKCS #1 v1.5 padding, as VMware's tools make and check it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from jeos.core.errors import InputError, TrustError, UsageError

LINE = re.compile(rb"\s*SHA-?(1|256|384|512)\s*\(\s*([^\n]{1,1024}?)\s*\)\s*=\s*([0-9A-Fa-f]{2,4096})\s*\n")
LARGEST = 1 << 20  # bytes
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - what old packages are signed with
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a manifest, by their own word: whether the certificate can be trusted is for the reader to say."""

    subject: str
    fingerprint: str
    algorithm: str


@contextmanager
def _readable(source: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{source} cannot be read: {error}", hint="it must be PEM, for an RSA key") from None


def verify(text: bytes, manifest: bytes, *, source: str) -> Signer:
    """Return who signed a manifest. Raises TrustError if the signature does not hold, InputError if it is none."""
    match = LINE.match(text) if len(text) <= LARGEST else None
    begin = text.find(b"-----BEGIN CERTIFICATE-----")
    if match is None or begin < 0:
        raise InputError(f"{source} has no signature and certificate", hint="the package is damaged")
    algorithm = f"sha{match[1].decode()}"
    with _readable(source):
        signature = bytes.fromhex(match[3].decode())
        certificate = x509.load_pem_x509_certificate(text[begin:])
        key = certificate.public_key()
        subject = certificate.subject.rfc4514_string()
    if not isinstance(key, rsa.RSAPublicKey):
        raise InputError(f"the certificate in {source} is not for an RSA key", hint="OVF signs with RSA")
    try:
        key.verify(signature, manifest, padding.PKCS1v15(), HASHES[algorithm])
    except InvalidSignature:
        raise TrustError(
            f"{source}: the signature by {subject} does not hold for the manifest",
            hint="the package was changed after it was signed: get it again from where it comes from",
        ) from None
    return Signer(subject=subject, fingerprint=certificate.fingerprint(hashes.SHA256()).hex(), algorithm=algorithm)


class Signatory:
    """A key with its certificate, to sign manifests with."""

    def __init__(self, key: bytes, certificate: bytes, *, name: str) -> None:
        """Take a private key and a certificate, both PEM, the key without a passphrase.

        Raises InputError, naming `name`, if they cannot be read, and UsageError if they do not belong together.
        """
        with _readable(name):
            private = serialization.load_pem_private_key(key, password=None)
            self._certificate = x509.load_pem_x509_certificate(certificate)
            public = self._certificate.public_key()
        if not isinstance(private, rsa.RSAPrivateKey):
            raise InputError(f"the key in {name} is not an RSA key", hint="OVF signs with RSA: openssl genrsa 3072")
        if not isinstance(public, rsa.RSAPublicKey) or public.public_numbers() != private.public_key().public_numbers():
            raise UsageError(f"the key and the certificate in {name} do not belong together", hint="look at both files")
        self._private = private

    @property
    def signature_size(self) -> int:
        """Return how many bytes a signature has."""
        return self._private.key_size // 8

    def sign(self, manifest: bytes, *, name: str, algorithm: str) -> bytes:
        """Return the certificate file for a manifest that is called `name`."""
        signature = self._private.sign(manifest, padding.PKCS1v15(), HASHES[algorithm])
        head = f"{algorithm.upper()}({name})= {signature.hex()}\n".encode()
        return head + self._certificate.public_bytes(serialization.Encoding.PEM)
