"""Keys on a token: SoftHSM plays the token, with keys that are made in it and cannot be read out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jeos.core.errors import HostError, InputError, TrustError
from jeos.core.run import run
from jeos.trust import token
from jeos.trust.crypto import verifying
from jeos.trust.keys import Keys, Plan
from jeos.trust.passphrase import Passphrases
from jeos.trust.status import status
from jeos.trust.token import address, signer_for
from vendor import NOW

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "1234"
Make = Callable[..., str]

needs_softhsm = pytest.mark.skipif(
    not MODULE.exists() or shutil.which("softhsm2-util") is None, reason="softhsm2 is not installed"
)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a token, and a way to make keys in it: label -> address."""
    pkcs11 = pytest.importorskip("pkcs11")
    from pkcs11.util.ec import encode_named_curve_parameters

    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm.conf"))
    monkeypatch.setenv("JEOS_PKCS11_MODULE", str(MODULE))
    run(["softhsm2-util", "--init-token", "--free", "--label", "vendor", "--pin", PIN, "--so-pin", "87654321"])
    library = pkcs11.lib(str(MODULE))
    library.reinitialize()

    def key(label: str, curve: str = "secp256r1") -> str:
        with library.get_token(token_label="vendor").open(user_pin=PIN, rw=True) as session:
            attributes = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
            parameters = session.create_domain_parameters(pkcs11.KeyType.EC, attributes, local=True)
            parameters.generate_keypair(store=True, label=label)
        return f"pkcs11:token=vendor;object={label}"

    return key


@needs_softhsm
def test_token_signs(make: Make) -> None:
    signer = signer_for(make("root"), ask_pin=lambda name: PIN)
    signature = signer.sign(b"data")
    verifying(signer.public_key).verify_signature(signature, b"data")
    assert signer.public_key.scheme == "ecdsa-sha2-nistp256"


@needs_softhsm
def test_wrong_pins_and_keys_are_named(make: Make) -> None:
    there = make("root")
    with pytest.raises(TrustError, match="the PIN of the token vendor is wrong"):
        signer_for(there, ask_pin=lambda name: "0000").sign(b"data")
    with pytest.raises(TrustError, match="the token vendor has no key other"):
        signer_for("pkcs11:token=vendor;object=other", ask_pin=lambda name: PIN)
    with pytest.raises(HostError, match="there is no token elsewhere"):
        signer_for("pkcs11:token=elsewhere;object=root", ask_pin=lambda name: PIN)


@needs_softhsm
def test_other_curves_are_refused(make: Make) -> None:
    make("p384", "secp384r1")
    with pytest.raises(InputError, match="none on P-256"):
        signer_for("pkcs11:token=vendor;object=p384", ask_pin=lambda name: PIN)


@needs_softhsm
def test_keys_live_on_a_token_from_the_first_root_on(make: Make, tmp_path: Path) -> None:
    pins = Passphrases(given=(PIN,))
    plan = {"root": Plan(tokens=(make("root"),))}
    keys = Keys.create(tmp_path / "keys", now=NOW, passphrases=pins, plan=plan)
    assert status(keys, now=NOW).roles[0].keys[0].place == "token"
    assert list((tmp_path / "keys/root").glob("*.pem")) == []
    again = Keys.open(tmp_path / "keys", passphrases=pins)
    assert again.rotate("targets", now=NOW, address=make("targets")).lacking == 0
    assert again.rotate("root", now=NOW, address=make("root2")).lacking == 0
    final = Keys.open(tmp_path / "keys", passphrases=pins)
    assert (final.root.version, len(final.signers("targets"))) == (3, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("softhsm", "is no PKCS#11 address"),
        ("pkcs11:object=root?module-path=/m", "names no token"),
        ("pkcs11:token=vendor?module-path=/m", "names no key"),
        ("pkcs11:token=vendor;object=root", "names no module"),
    ],
)
def test_address_without_what_is_needed_is_refused(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JEOS_PKCS11_MODULE", raising=False)
    with pytest.raises(InputError, match=message):
        address(text)


def test_address_is_read_as_rfc_7512_has_it() -> None:
    found = address("pkcs11:token=My%20token;object=root;id=%01%ff;type=private?module-path=/usr/lib/m.so&pin-source=x")
    assert found == token.Address(module="/usr/lib/m.so", token="My token", label="root", id=b"\x01\xff")


def test_module_that_is_none_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pkcs11")
    (tmp_path / "module.so").write_bytes(b"not a library")
    with pytest.raises(HostError, match=r"module\.so"):
        signer_for(f"pkcs11:token=a;object=b?module-path={tmp_path}/module.so", ask_pin=lambda name: PIN)
