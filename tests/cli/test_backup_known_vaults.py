"""A vault is known again: one that was exchanged, or has gone, gets no backup."""

import shutil
from pathlib import Path

import pytest

from jeos.cli import main
from jeos.core.errors import TrustError, UsageError
from jeos.store import vault_keys


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("JEOS_PASSPHRASE", "first")
    monkeypatch.setattr(vault_keys, "COST", 1 << 8)
    (tmp_path / "disk.raw").write_bytes(b"disk" * 4096)
    return tmp_path / "backups"


def backup(folder: Path) -> int:
    return main.main(["backup", "create", "--disk", str(folder.parent / "disk.raw")])


def test_backup_never_goes_into_a_vault_that_took_the_place_of_an_encrypted_one(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.main(["backup", "init", "--encrypt"]) == 0
    assert backup(folder) == 0
    folder.rename(folder.with_name("kept"))
    with monkeypatch.context() as elsewhere:  # who does this is on another host, or another user
        elsewhere.setenv("JEOS_STATE_DIR", str(folder.parent / "another"))
        assert main.main(["backup", "init"]) == 0
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    capsys.readouterr()
    assert backup(folder) == TrustError.exit_code
    said = capsys.readouterr().err
    assert f"the vault at {folder} is not the one that was there" in said
    assert "not encrypted, in place of" in said
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
    shutil.rmtree(folder)
    folder.with_name("kept").rename(folder)
    assert backup(folder) == 0


def test_backup_makes_no_new_vault_where_one_has_gone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert backup(folder) == 0
    shutil.rmtree(folder)
    capsys.readouterr()
    assert backup(folder) == UsageError.exit_code
    assert f"is gone from {folder}" in capsys.readouterr().err
    assert not folder.exists()
    assert main.main(["backup", "init"]) == 0  # on purpose
    assert backup(folder) == 0
