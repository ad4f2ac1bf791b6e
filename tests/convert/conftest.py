"""What all tests of conversions start from."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep notes of where conversions worked out of the user's own cache."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("JEOS_CACHE_DIR", str(cache))
    return cache
