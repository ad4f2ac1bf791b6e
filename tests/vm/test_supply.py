"""What a machine from a backup reads from: its socket is there at once, and whoever comes early waits or is told."""

import contextlib
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.backup.create import Source, create
from jeos.disk.blocks import Memory
from jeos.disk.nbd_client import Nbd
from jeos.model.snapshot import Consistency
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault
from jeos.vm import supply
from jeos.vm.nodes import node
from jeos.vm.places import Places

CONTENT = b"what was there\n" * 10_000


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    with tempfile.TemporaryDirectory(prefix="jeos-") as short:  # the paths of sockets must be
        found = Places(name="web", folder=tmp_path / "web", runtime=Path(short))
        for folder in (found.folder, found.inside):
            folder.mkdir()
        yield found


def test_client_that_comes_before_the_backup_is_open_is_served(places: Places, tmp_path: Path) -> None:
    vault = Vault.create(FolderPlace(tmp_path / "vault"))
    disk = Memory(CONTENT.ljust(1 << 20, b"\0"))
    point = create(vault, [Source("disk", "raw", disk)], owner="web", consistency=Consistency.STOPPED)
    process = supply.start(["backup", "serve", "--store", str(tmp_path / "vault"), point.name], places)
    try:
        assert stat.S_IMODE(places.supply.stat().st_mode) == 0o600
        with Nbd(places.supply, node(0)) as client:
            assert client.read(0, len(CONTENT)) == CONTENT
        assert process.poll() is None
    finally:
        supply.end(process)
    assert not places.supply.exists()


def test_client_of_a_backup_that_cannot_be_opened_is_hung_up_on_and_told_why(places: Places, tmp_path: Path) -> None:
    process = supply.start(["backup", "serve", "--store", str(tmp_path / "nowhere"), "web@1"], places)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(places.supply))
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(16) == b""
    failure = supply.failure(process, places)
    assert failure is not None
    assert "nowhere" in failure.message
    assert process.returncode not in (None, 0)
