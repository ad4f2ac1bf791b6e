"""Keys that never leave a token (a smart card, a YubiKey, an HSM), by PKCS#11.

    signer = signer_for("pkcs11:token=vendor;object=root?module-path=/usr/lib/…/opensc-pkcs11.so", ask_pin=…)

The address is a PKCS#11 URI (RFC 7512); `module-path` may stand in JEOS_PKCS11_MODULE instead. The key is an ECDSA key
on P-256, which nearly every token can hold; signatures are ecdsa-sha2-nistp256. Making the key is the token's own
business. Needs python-pkcs11, which is not installed with jeos: `pip install jeos[pkcs11]`.
"""

import hashlib
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from jeos.core import settings
from jeos.core.errors import HostError, InputError, TrustError

SCHEME = "pkcs11"
HALF = 32  # bytes of each of the two numbers of a signature on P-256


@dataclass(frozen=True)
class Address:
    """Where a key is: the module that speaks to the token, the token's label, the key's label and id."""

    module: str
    token: str
    label: str | None
    id: bytes | None


def address(text: str) -> Address:
    """Read a PKCS#11 URI. Raises InputError if it names no token, no key or no module."""
    path, _, query = text.partition("?")
    if not path.startswith(f"{SCHEME}:"):
        raise InputError(f"{text} is no PKCS#11 address", hint="write pkcs11:token=LABEL;object=LABEL?module-path=FILE")
    parts = _attributes(path.removeprefix(f"{SCHEME}:"), ";")
    module = _attributes(query, "&").get("module-path", b"").decode() or settings.pkcs11_module()
    token, label = parts.get("token", b"").decode(), parts.get("object")
    if not token or (label is None and "id" not in parts):
        raise InputError(f"{text} names no {'token' if not token else 'key'}", hint="add token=LABEL and object=LABEL")
    if not module:
        raise InputError(f"{text} names no module", hint="add ?module-path=FILE, or set JEOS_PKCS11_MODULE")
    return Address(module=module, token=token, label=label.decode() if label else None, id=parts.get("id"))


def _attributes(text: str, separator: str) -> Mapping[str, bytes]:
    pairs = (part.partition("=") for part in text.split(separator) if part)
    return {name: urllib.parse.unquote_to_bytes(value) for name, _, value in pairs}


class TokenSigner(Signer):
    """Signs with a key on a token; the PIN is asked for at each signature."""

    def __init__(self, place: Address, public_key: Key, ask_pin: Callable[[str], str]) -> None:
        self._place = place
        self._public_key = public_key
        self._ask_pin = ask_pin

    @property
    def public_key(self) -> Key:
        """Return the key that checks the signatures."""
        return self._public_key

    def sign(self, payload: bytes) -> Signature:
        """Return the signature over a payload. Raises TrustError if the token refuses."""
        import pkcs11

        digest = hashlib.sha256(payload).digest()
        with _session(self._place, pin=self._ask_pin(f"the token {self._place.token}")) as session:
            key = _key(session, self._place, pkcs11.ObjectClass.PRIVATE_KEY)
            raw = key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
        pair = (int.from_bytes(raw[:HALF], "big"), int.from_bytes(raw[HALF:], "big"))
        return Signature(self._public_key.keyid, encode_dss_signature(*pair).hex())

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> "TokenSigner":
        """Return the signer for an address, as securesystemslib wants it."""
        return cls(address(priv_key_uri), public_key, secrets_handler or (lambda name: ""))


def signer_for(text: str, *, ask_pin: Callable[[str], str]) -> TokenSigner:
    """Return the signer for the key at an address, with the public key that the token tells. Raises HostError."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    place = address(text)
    with _session(place, pin=None) as session:
        import pkcs11
        from pkcs11.util.ec import encode_ec_public_key

        encoded = encode_ec_public_key(_key(session, place, pkcs11.ObjectClass.PUBLIC_KEY))
    public = load_der_public_key(encoded)
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        raise InputError(f"the key {place.label} is none on P-256", hint="make an ECDSA key on P-256 (prime256v1)")
    return TokenSigner(place, SSlibKey.from_crypto(public), ask_pin)


@contextmanager
def _session(place: Address, *, pin: str | None) -> Iterator[Any]:
    """Open a session with a token, logged in if there is a PIN."""
    try:
        import pkcs11
    except ImportError:
        raise HostError("keys on tokens need python-pkcs11", hint="pip install python-pkcs11") from None
    try:
        found = pkcs11.lib(os.fspath(place.module)).get_token(token_label=place.token)
        with found.open(user_pin=pin) as session:
            yield session
    except pkcs11.NoSuchToken:
        raise HostError(f"there is no token {place.token}", hint=f"plug it in; {place.module} looks for it") from None
    except pkcs11.NoSuchKey:
        raise TrustError(f"the token {place.token} has no key {place.label}", hint="see pkcs11-tool -O") from None
    except pkcs11.PinIncorrect:
        raise TrustError(f"the PIN of the token {place.token} is wrong", hint="mind how many tries are left") from None
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise HostError(f"{place.module}: {type(error).__name__} {error}", hint="look at the token") from error


def _key(session: Any, place: Address, kind: Any) -> Any:
    return session.get_key(object_class=kind, label=place.label, id=place.id)
