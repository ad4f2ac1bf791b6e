"""What all tests of stores share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import s3_server
from jeos.store import vault_keys
from jeos.store.places.folder import FolderPlace
from jeos.store.places.memory import MemoryPlace
from jeos.store.places.objects import ObjectPlace
from jeos.store.places.place import Place


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretch passphrases little: the cost itself is no subject of these tests."""
    monkeypatch.setattr(vault_keys, "COST", 1 << 8)


@pytest.fixture(scope="module")
def s3_settings() -> Iterator[dict[str, str]]:
    with s3_server.bucket() as found:
        yield found


@pytest.fixture(params=["folder", "objects", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return an empty place of each kind that can be written to."""
    if request.param == "folder":
        return FolderPlace(tmp_path / "place")
    if request.param == "memory":
        return MemoryPlace()
    settings: dict[str, str] = request.getfixturevalue("s3_settings")
    return ObjectPlace(f"s3://{s3_server.NAME}/{tmp_path.name}", **settings)
