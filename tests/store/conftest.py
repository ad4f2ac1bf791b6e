"""What all tests of stores share."""

import pytest

from jeos.store import vault_keys


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretch passphrases little: the cost itself is no subject of these tests."""
    monkeypatch.setattr(vault_keys, "COST", 1 << 8)
