"""Sealed private keys, against openssl and `cryptography` as readers."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from jeos.core.errors import InputError, TrustError, UsageError
from jeos.trust import pkcs8
from jeos.trust.passphrase import Passphrases

REAL = {name: getattr(pkcs8, name) for name in ("COST", "REPEAT")}  # before the fixture makes them cheap
MAKERS: dict[str, Callable[[], PrivateKeyTypes]] = {
    "ed25519": Ed25519PrivateKey.generate,
    "ecdsa": lambda: generate_private_key(SECP256R1()),
    "rsa": lambda: generate_rsa(65537, 2048),  # long enough for lengths of more than one byte
}


@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize("passphrase", ["open", "Größe ☃ 'x y'"])
def test_sealed_key_opens_here_and_in_openssl(tmp_path: Path, kind: str, passphrase: str) -> None:
    key = MAKERS[kind]()
    sealed = pkcs8.seal(key, passphrase)
    assert pkcs8.is_sealed(sealed)
    assert pkcs8.plain(pkcs8.load(sealed, passphrase=passphrase, name="k")) == pkcs8.plain(key)
    (tmp_path / "key.pem").write_bytes(sealed)
    argv = ["openssl", "pkcs8", "-in", str(tmp_path / "key.pem"), "-passin", f"pass:{passphrase}"]
    assert subprocess.run(argv, check=True, capture_output=True).stdout == pkcs8.plain(key)
    argv[-1] = "pass:wrong"
    assert subprocess.run(argv, capture_output=True).returncode != 0


def test_sealed_key_uses_scrypt_and_aes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REAL.items():
        monkeypatch.setattr(pkcs8, name, value)
    (tmp_path / "key.pem").write_bytes(pkcs8.seal(Ed25519PrivateKey.generate(), "open"))
    argv = ["openssl", "asn1parse", "-in", str(tmp_path / "key.pem")]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    for word in (":PBES2", "scrypt", ":aes-256-cbc", ":4000", ":08", ":05"):
        assert word in shown


def test_key_sealed_by_openssl_opens(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "plain.pem").write_bytes(pkcs8.plain(key))
    argv = ["openssl", "pkcs8", "-topk8", "-scrypt", "-in", str(tmp_path / "plain.pem"), "-passout", "pass:new"]
    sealed = subprocess.run(argv, check=True, capture_output=True).stdout
    assert pkcs8.plain(pkcs8.load(sealed, passphrase="new", name="k")) == pkcs8.plain(key)


def test_load_tells_wrong_passphrases_from_wrong_files() -> None:
    sealed = pkcs8.seal(Ed25519PrivateKey.generate(), "open")
    with pytest.raises(TrustError, match="the passphrase of the root key is wrong"):
        pkcs8.load(sealed, passphrase="other", name="the root key")
    for data in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff" * 50):
        with pytest.raises(InputError, match="the root key cannot be read"):
            pkcs8.load(data, passphrase=None, name="the root key")


@pytest.mark.parametrize("size", [0, 0x7F, 0x80, 0xFF, 0x100, 0x10000])
def test_lengths_of_der_are_minimal(size: int) -> None:
    encoded = pkcs8._octets(b"x" * size)
    header = encoded[: len(encoded) - size]
    if size < 0x80:
        assert header == bytes([pkcs8.OCTETS, size])
    else:
        assert header[1] == 0x80 | len(header) - 2
        assert int.from_bytes(header[2:], "big") == size and header[2]


def test_passphrases_are_tried_one_after_the_other() -> None:
    sealed = pkcs8.seal(Ed25519PrivateKey.generate(), "second")
    assert Passphrases(given=("first", "second")).open(sealed, name="k")
    with pytest.raises(TrustError, match="none of the passphrases opens k"):
        Passphrases(given=("first",)).open(sealed, name="k")
    with pytest.raises(TrustError, match="there is no passphrase for k"):
        Passphrases().open(sealed, name="k")


def test_passphrases_are_asked_for_three_times() -> None:
    sealed = pkcs8.seal(Ed25519PrivateKey.generate(), "third")
    answers = iter(["first", "second", "third"])
    assert Passphrases(ask=lambda prompt: next(answers)).open(sealed, name="k")
    prompts: list[str] = []

    def wrong(prompt: str) -> str:
        prompts.append(prompt)
        return "wrong"

    with pytest.raises(TrustError, match="the passphrase of k is wrong"):
        Passphrases(ask=wrong).open(sealed, name="k")
    assert prompts == ["Passphrase of k: "] * 3


def test_new_passphrase_is_typed_twice() -> None:
    answers = iter(["one", "other", "", "same", "same"])
    assert Passphrases(ask=lambda prompt: next(answers)).for_new("k") == "same"
    with pytest.raises(InputError, match="no passphrase was chosen"):
        Passphrases(ask=lambda prompt: "").for_new("k")


def test_find_reads_the_environment_or_a_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_PASSPHRASE", "from the environment")
    assert Passphrases.find().given == ("from the environment",)
    (tmp_path / "p").write_text("one\n\ntwo words\n")
    with (tmp_path / "p").open() as file:
        assert Passphrases.find(descriptor=file.fileno()).given == ("one", "two words")
    with pytest.raises(UsageError, match="no passphrase can be read from descriptor 987"):
        Passphrases.find(descriptor=987)
    monkeypatch.delenv("JEOS_PASSPHRASE")
    assert Passphrases.find().given == ()
    with pytest.raises(UsageError, match="there is no PIN"):
        Passphrases.find().pin("the token")
    assert Passphrases(ask=lambda prompt: "1234").pin("the token") == "1234"
