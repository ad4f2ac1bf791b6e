"""What all tests of trust share."""

import pytest

from jeos.trust import pkcs8


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let passphrases be guessed fast here: there are hundreds of keys to make."""
    monkeypatch.setattr(pkcs8, "COST", 1 << 8)
    monkeypatch.setattr(pkcs8, "REPEAT", 1)
