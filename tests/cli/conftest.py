"""What the tests of the commands keep goes into a folder of each test's own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a state folder (machines, known vaults) of its own; one that sets its own still may."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("JEOS_STATE_DIR", str(folder))
    return folder
