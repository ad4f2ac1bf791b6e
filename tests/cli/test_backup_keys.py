"""`jeos backup init` and `keys`: what they print, make and refuse."""

import json
import os
from pathlib import Path

import pytest

from jeos.cli import main
from jeos.core.errors import TrustError, UsageError
from jeos.store import vault_keys
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("JEOS_PASSPHRASE", "first")
    monkeypatch.setattr(vault_keys, "COST", 1 << 8)
    return tmp_path / "backups"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    capsys.readouterr()
    assert main.main(["backup", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def passphrase(text: str) -> str:
    """Return the number of a descriptor that gives a passphrase."""
    reading, writing = os.pipe()
    os.write(writing, f"{text}\n".encode())
    os.close(writing)
    return str(reading)


def test_init_makes_a_vault_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault = said(capsys, "init")
    assert vault == {
        "store": str(folder),
        "id": Vault.open(FolderPlace(folder)).id,
        "encrypted": False,
        "recovery_key": None,
    }
    assert main.main(["backup", "init"]) == UsageError.exit_code
    assert "there is a vault at" in capsys.readouterr().err
    assert main.main(["backup", "keys"]) == UsageError.exit_code
    assert "is not encrypted" in capsys.readouterr().err


def test_init_of_an_encrypted_vault_gives_a_recovery_key(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = said(capsys, "init", "--encrypt")
    assert isinstance(made, dict)
    assert made["encrypted"]
    assert said(capsys, "keys", "--export") == {"recovery_key": made["recovery_key"]}
    monkeypatch.setenv("JEOS_PASSPHRASE", made["recovery_key"])
    assert said(capsys, "keys", "--export") == {"recovery_key": made["recovery_key"]}
    monkeypatch.setenv("JEOS_PASSPHRASE", "wrong")
    assert main.main(["backup", "keys"]) == TrustError.exit_code
    assert "no passphrase opened it" in capsys.readouterr().err


def test_keys_lets_another_passphrase_open_the_vault(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said(capsys, "init", "--encrypt")
    keys = said(capsys, "keys", "--add", "--note", "the night shift", "--new-passphrase-fd", passphrase("second"))
    assert isinstance(keys, list)
    assert sorted(key["note"] for key in keys) == ["first", "the night shift"]
    monkeypatch.setenv("JEOS_PASSPHRASE", "second")
    first = next(key["key"] for key in keys if key["note"] == "first")
    left = said(capsys, "keys", "--remove", first)
    assert left == [key for key in keys if key["key"] != first]
    monkeypatch.setenv("JEOS_PASSPHRASE", "first")
    assert main.main(["backup", "keys"]) == TrustError.exit_code
    assert main.main(["backup", "keys", "--passphrase-fd", passphrase("second"), "--remove", "none"]) == 2
    assert "there is no key none" in capsys.readouterr().err


def test_action_that_is_asked_for_is_the_only_one_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    asked = main.make_parser(only="backup", asked=("backup", "init", "--encrypt"))
    assert vars(asked.parse_args(["backup", "init", "--encrypt"]))["action"] == "init"
    assert main.main(["backup", "unheard-of"]) == UsageError.exit_code
    assert "invalid choice: 'unheard-of'" in capsys.readouterr().err
    assert main.main(["backup", "--help"]) == 0
    assert "verify" in capsys.readouterr().out
