"""Signatures checked by libcrypto, against keys and signatures that `cryptography` and openssl made."""

import base64
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import CryptoSigner, Key, Signature, SSlibKey

from jeos.core.errors import HostError
from jeos.trust import crypto
from jeos.trust.crypto import UnusableKey, verify, verifying

DATA = b"what was signed"


def p256_signer() -> CryptoSigner:
    return CryptoSigner(ec.generate_private_key(ec.SECP256R1()))


KEY = p256_signer()
SIGNATURE = bytes.fromhex(KEY.sign(DATA).signature)
PUBLIC_DER = base64.b64decode("".join(KEY.public_key.keyval["public"].splitlines()[1:-1]))
MAKERS: dict[str, Callable[[], CryptoSigner]] = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa": p256_signer,
    "rsa": lambda: CryptoSigner.generate_rsa(size=2048),
}


def holds(key: Key, signature: Signature, data: bytes = DATA) -> bool:
    try:
        key.verify_signature(signature, data)
    except UnverifiedSignatureError:
        return False
    return True


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_verify_signature_of_each_kind(kind: str) -> None:
    signer, other = MAKERS[kind](), MAKERS[kind]()
    key, signature = verifying(signer.public_key), signer.sign(DATA)
    assert holds(key, signature)
    assert not holds(key, signature, DATA + b".")
    assert not holds(verifying(other.public_key), signature)
    raw = bytes.fromhex(signature.signature)
    for position in (0, len(raw) // 2, len(raw) - 1):
        damaged = bytearray(raw)
        damaged[position] ^= 1
        assert not holds(key, Signature(signature.keyid, damaged.hex()))
    for text in ("", "zz", raw[:-1].hex(), (raw + b"\0").hex(), "00" * 9000, None, 7):
        assert not holds(key, Signature(signature.keyid, text))  # type: ignore[arg-type]


def test_verify_old_name_of_ecdsa_keys() -> None:
    signer = p256_signer()
    old = SSlibKey("a", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", signer.public_key.keyval)
    assert holds(verifying(old), signer.sign(DATA))


def test_verify_agrees_with_openssl(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)

    def openssl(*words: str) -> bytes:
        return subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True).stdout

    openssl("genpkey", "-algorithm", "ed25519", "-out", "key")
    openssl("pkeyutl", "-sign", "-rawin", "-inkey", "key", "-in", "data", "-out", "signature")
    public = openssl("pkey", "-in", "key", "-pubout", "-outform", "DER")[-32:]
    assert verify("ED25519", public=public.hex(), signature=(tmp_path / "signature").read_bytes(), data=DATA)


@pytest.mark.parametrize("salt", ["digest", "max", "0"])
def test_verify_takes_rsa_with_any_salt(tmp_path: Path, salt: str) -> None:
    (tmp_path / "data").write_bytes(DATA)
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", f"rsa_pss_saltlen:{salt}"]
    for words in (
        ["genpkey", "-algorithm", "RSA", "-out", "key"],
        ["dgst", "-sha256", "-sign", "key", *options, "-out", "signature", "data"],
        ["pkey", "-in", "key", "-pubout", "-out", "public"],
    ):
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)
    signature = (tmp_path / "signature").read_bytes()
    assert verify("RSA", public=(tmp_path / "public").read_text(), signature=signature, data=DATA)


def test_verify_refuses_rsa_with_the_old_padding(tmp_path: Path) -> None:
    signer = CryptoSigner.generate_rsa(size=2048, scheme="rsa-pkcs1v15-sha256")
    signature = bytes.fromhex(signer.sign(DATA).signature)
    assert not verify("RSA", public=signer.public_key.keyval["public"], signature=signature, data=DATA)
    assert isinstance(verifying(signer.public_key), UnusableKey)
    assert not holds(verifying(signer.public_key), signer.sign(DATA))


def pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_verify_refuses_weak_keys_and_other_curves() -> None:
    weak = CryptoSigner(rsa.generate_private_key(65537, 1024))
    assert not holds(verifying(weak.public_key), weak.sign(DATA))
    private = ec.generate_private_key(ec.SECP384R1())
    curve = CryptoSigner(private)
    assert isinstance(verifying(curve.public_key), UnusableKey)
    named_wrong = SSlibKey("a", "ecdsa", "ecdsa-sha2-nistp256", curve.public_key.keyval)
    assert not holds(verifying(named_wrong), curve.sign(DATA))
    signature = Signature("a", private.sign(DATA, ec.ECDSA(hashes.SHA256())).hex())
    assert not holds(verifying(named_wrong), signature)


def test_verify_refuses_a_key_of_another_algorithm() -> None:
    signer = p256_signer()
    signature = bytes.fromhex(signer.sign(DATA).signature)
    assert not verify("RSA", public=signer.public_key.keyval["public"], signature=signature, data=DATA)
    assert not verify("ED25519", public=signer.public_key.keyval["public"], signature=signature, data=DATA)


def test_verify_asks_for_no_passphrase() -> None:
    """libcrypto's reader of PEM would read one from the terminal for this."""
    headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00"
    text = f"-----BEGIN PUBLIC KEY-----\n{headers}\n\nAAAA\n-----END PUBLIC KEY-----\n"
    assert not verify("EC", public=text, signature=b"x" * 70, data=DATA)


def test_unusable_key_without_public_part_never_holds() -> None:
    signer = CryptoSigner.generate_ed25519()
    odd = SSlibKey("a", "ed25519", "ed25519", {"public": ""})
    odd.keyval = {"private": 7}
    assert not holds(verifying(odd), signer.sign(DATA))


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    crypto._library.cache_clear()
    monkeypatch.setattr(crypto, "LIBRARY", "libmissing.so.3")
    with pytest.raises(HostError, match=r"libmissing\.so\.3 cannot be used"):
        verify("ED25519", public="00" * 32, signature=b"x" * 64, data=DATA)
    monkeypatch.undo()
    crypto._library.cache_clear()


@settings(max_examples=60, deadline=None)
@given(
    algorithm=st.sampled_from(["ED25519", "EC", "RSA"]),
    public=st.text(max_size=200)
    | st.binary(max_size=100).map(bytes.hex)
    | st.from_regex(r"-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]{0,200}\n-----END PUBLIC KEY-----\n", fullmatch=True),
    signature=st.binary(max_size=600),
)
def test_verify_survives_anything(algorithm: str, public: str, signature: bytes) -> None:
    assert not verify(algorithm, public=public, signature=signature, data=DATA)


@settings(max_examples=40, deadline=None)
@given(position=st.integers(0, 90), value=st.integers(1, 255))
def test_verify_survives_damaged_keys(position: int, value: int) -> None:
    """Every damaged byte of a key on P-256 is noticed: no other key holds for the signature."""
    der = bytearray(PUBLIC_DER)
    der[position] ^= value
    text = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
    assert not verify("EC", public=text, signature=SIGNATURE, data=DATA)


def test_verify_leaks_no_memory() -> None:
    signer = CryptoSigner.generate_ed25519()
    key, signature = verifying(signer.public_key), signer.sign(DATA)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(200):
        assert holds(key, signature)
    before = resident()
    for _ in range(4000):
        holds(key, signature)
    assert resident() - before < 1 << 20  # contexts that are not freed would take 3.8 MiB, keys 1.6 MiB
