"""What apt says, word for word as its versions 2.6 and 3.0 print it, and the errors that it becomes."""

import pytest

from jeos.build.apt_errors import RULES, of_update
from jeos.build.sources import Source
from jeos.core.errors import JeosError, NetworkError, TrustError

URL = "http://mirror.example/debian"
DEBIAN = Source(name="debian", url=URL, suites=("trixie",), components=("main",), keys=())
OWN = Source(name="shop", url="https://ada:secret@shop.example/apt", suites=("stable",), components=("main",), keys=())
HERE = f"the repository debian ({URL})"
RELEASE = f"The repository '{URL} trixie Release'"

SAID: dict[str, tuple[str, type[JeosError], str]] = {
    "expired": (
        f"E: Release file for {URL}/dists/trixie/InRelease is expired (invalid since 3d 2h 1min 5s). Updates for this",
        TrustError,
        f"the index of {HERE} expired 3d 2h 1min 5s ago: its Valid-Until has passed",
    ),
    "from the future": (
        f"E: Release file for {URL}/dists/trixie/InRelease is not valid yet (invalid for another 1h).",
        TrustError,
        f"the index of {HERE} is from the future",
    ),
    "unreachable": (
        f"W: Failed to fetch {URL}/dists/trixie/InRelease  Could not resolve 'mirror.example'",
        NetworkError,
        f"{HERE} cannot be reached\n  W: Failed to fetch {URL}/dists/trixie/InRelease  Could not resolve"
        " 'mirror.example'",
    ),
    "forbidden": (
        f"E: Failed to fetch {URL}/dists/trixie/InRelease  401  Unauthorized [IP: 192.0.2.1 80]",
        NetworkError,
        f"{HERE} asks for a password, or does not take the one it got",
    ),
    "unknown key of gpgv": (
        f"W: GPG error: {URL} trixie InRelease: The following signatures couldn't be verified because the public key is"
        " not available: NO_PUBKEY 0123456789ABCDEF\n"
        f"E: The repository '{URL} trixie InRelease' is not signed.",
        TrustError,
        f"{HERE} is signed with the key 0123456789ABCDEF, which the keyring does not have",
    ),
    "unknown key of sqv": (
        f"W: OpenPGP signature verification failed: {URL} trixie InRelease: Sub-process /usr/bin/sqv returned an error"
        " code (1), error message is: Missing key AB12CD34, which is needed to verify signature.",
        TrustError,
        f"{HERE} is signed with the key AB12CD34, which the keyring does not have",
    ),
    "bad signature": (
        f"E: {URL} trixie InRelease: BADSIG 0123456789ABCDEF Debian",
        TrustError,
        f"the signature of {HERE} does not hold\n  E: {URL} trixie InRelease: BADSIG 0123456789ABCDEF Debian",
    ),
    "no such suite": (f"E: {RELEASE} does not have a Release file.", NetworkError, f"{HERE} has no suite 'trixie'"),
    "a login page": (
        f"E: {URL} trixie InRelease: Clearsigned file isn't valid, got 'NOSPLIT' (does the network require"
        f" authentication?)\nE: {RELEASE} does not have a Release file.",
        TrustError,
        f"{HERE} is not signed: its InRelease file is no signed text",
    ),
    "another index": (
        f"E: Failed to fetch {URL}/dists/trixie/main/Packages.xz  File has unexpected size (5 != 7).",
        NetworkError,
        f"{HERE} sent an index that is not the one it signed\n"
        f"  E: Failed to fetch {URL}/dists/trixie/main/Packages.xz  File has unexpected size (5 != 7).",
    ),
    "something new": (
        f"E: {URL} {{is}} odd",
        NetworkError,
        f"the lists of {HERE} could not be fetched\n  E: {URL} {{is}} odd",
    ),
}


@pytest.mark.parametrize(("said", "kind", "message"), SAID.values(), ids=SAID)
def test_each_message_of_apt_has_its_error(said: str, kind: type[JeosError], message: str) -> None:
    error = of_update(said, sources=[DEBIAN, OWN])
    assert (type(error), error.message) == (kind, message)
    assert error.hint
    assert "{" not in error.hint


def test_each_rule_is_used_by_a_message() -> None:
    used = {of_update(said, sources=[DEBIAN]).hint for said, _, _ in SAID.values()}
    assert len(used) == len(RULES)


def test_a_password_in_an_address_is_not_shown() -> None:
    error = of_update("E: Failed to fetch https://shop.example/apt/x  403  Forbidden", sources=[DEBIAN, OWN])
    assert error.message.startswith("the repository shop (https://shop.example/apt) asks for a password")
