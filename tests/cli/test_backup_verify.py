"""`jeos backup verify` and `sync`, on points of real disks."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeos.backup import points
from jeos.backup.create import Source, create
from jeos.backup.restored import PointBlocks
from jeos.cli import main
from jeos.core.errors import StoreError, UsageError
from jeos.disk.blocks import Memory
from jeos.model.snapshot import Consistency
from jeos.store import vault_keys
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault

SIZE = 3 << 20


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("JEOS_PASSPHRASE", "correct horse")
    monkeypatch.setattr(vault_keys, "COST", 1 << 8)
    Vault.create(FolderPlace(tmp_path / "backups"))
    return tmp_path / "backups"


def disk(number: int) -> bytes:
    """Return a disk of which every 16th chunk differs from the others'."""
    content = bytearray(random.Random(0).randbytes(SIZE))
    for at in range(0, SIZE, 1 << 20):
        content[at : at + 4096] = random.Random(f"{number} {at}").randbytes(4096)
    return bytes(content)


@pytest.fixture
def disks(folder: Path) -> dict[str, bytes]:
    """Make two points of one machine and one of another; return what each holds, by name."""
    vault = Vault.open(FolderPlace(folder))
    made = {}
    for owner, number in (("web01", 1), ("web01", 2), ("mail", 3)):
        source = Source("vda", "raw", Memory(disk(number)))
        made[create(vault, [source], owner=owner, consistency=Consistency.STOPPED).name] = disk(number)
    return made


def restored(folder: Path, *, passphrase: str | None = None) -> dict[str, bytes]:
    vault = Vault.open(FolderPlace(folder), secret=passphrase)
    return {
        name: PointBlocks(vault, points.read(vault, name).disks[0].manifest).read(0, SIZE) for name in vault.points()
    }


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, object]:
    capsys.readouterr()
    assert main.main(["backup", *words, "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def packs(folder: Path) -> Iterator[Path]:
    return folder.glob("packs/*/*")


def hurt(folder: Path) -> None:
    largest = max(packs(folder), key=lambda path: path.stat().st_size)
    largest.chmod(0o644)
    with largest.open("r+b") as file:
        file.seek(100_000)
        byte = file.read(1)
        file.seek(100_000)
        file.write(bytes([byte[0] ^ 1]))


def test_verify_of_sound_backups(folder: Path, disks: dict[str, bytes], capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "verify")
    assert {word: found[word] for word in ("sound", "points", "findings", "touched", "repaired")} == {
        "sound": True,
        "points": sorted(disks),
        "findings": [],
        "touched": {},
        "repaired": None,
    }
    vault = Vault.open(FolderPlace(folder))
    assert [json.loads(vault.checked(name) or b"{}")["sound"] for name in sorted(disks)] == [True, True, True]
    assert main.main(["backup", "verify", "--quick"]) == 0
    assert "all as written" in capsys.readouterr().out


def test_verify_names_the_points_that_damage_touches_and_mends_them_from_a_copy(
    folder: Path, disks: dict[str, bytes], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said(capsys, "sync", str(tmp_path / "copy"))
    hurt(folder)
    found = said(capsys, "verify", status=StoreError.exit_code)
    assert not found["sound"]
    assert found["touched"]
    assert main.main(["backup", "verify"]) == StoreError.exit_code
    assert "1 chunks are lost" in capsys.readouterr().out
    mended = said(capsys, "verify", "--repair-from", str(tmp_path / "copy"))
    assert mended["sound"]
    assert said(capsys, "verify")["sound"]
    assert restored(folder) == disks


def test_verify_of_a_part(disks: dict[str, bytes], capsys: pytest.CaptureFixture[str]) -> None:
    parts = [said(capsys, "verify", "--part", f"{number}/3")["packs"] for number in (1, 2, 3)]
    assert sum(int(str(count)) for count in parts) == said(capsys, "verify")["packs"]
    assert main.main(["backup", "verify", "--part", "4/3"]) == UsageError.exit_code


def test_sync_to_a_new_vault_that_encrypts(
    folder: Path, disks: dict[str, bytes], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    first = said(capsys, "sync", str(copy), "web01", "--encrypt")
    assert first["points"] == [name for name in sorted(disks) if name.startswith("web01/")]
    assert said(capsys, "sync", str(copy))["points"] == [name for name in disks if name.startswith("mail/")]
    assert said(capsys, "sync", str(copy))["points"] == []
    assert restored(copy, passphrase="correct horse") == disks
    assert main.main(["backup", "sync", str(copy), "none"]) == UsageError.exit_code
    assert main.main(["backup", "sync", str(folder)]) == UsageError.exit_code


def test_sync_pulls_what_is_elsewhere(
    folder: Path,
    disks: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "second"))
    assert said(capsys, "sync", str(folder), "--pull")["points"] == sorted(disks)
    assert restored(tmp_path / "second") == disks
