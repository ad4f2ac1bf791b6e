"""`jeos keys`: what it prints, writes and refuses."""

import json
import os
from pathlib import Path

import pytest

from jeos.cli import main
from jeos.core.errors import StoreError
from jeos.trust import pkcs8
from jeos.trust.keys import changing


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JEOS_PASSPHRASE", "open")
    monkeypatch.setattr(pkcs8, "COST", 1 << 8)
    return tmp_path


def show(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert main.main(["keys", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_keys_new_makes_what_recipes_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["keys", "new", "--offline", "stick", "--root-keys", "3", "--root-threshold", "2"]) == 0
    out = capsys.readouterr()
    assert (folder / "keys/root.json").is_file()
    assert len(list((folder / "stick/root").iterdir())) == 3
    lines = out.out.splitlines()
    assert lines[0].split() == ["ROLE", "NEEDED", "KEY", "SCHEME", "PRIVATE", "KEY"]
    assert lines[1].split()[:4] == ["root", "2", "of", "3"]
    assert lines[-1].startswith("version 1 of the root, good until ")
    assert "recipes name keys/root.json" in out.err
    assert "warning" not in out.err


def test_keys_rotate_revoke_and_renew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["keys", "new"]) == 0
    found = show(capsys, "rotate", "timestamp")
    assert found["version"] == 2
    roles = found["roles"]
    assert isinstance(roles, list)
    leaked = roles[1]["keys"][0]["id"]
    found = show(capsys, "revoke", leaked[:10])
    roles = found["roles"]
    assert isinstance(roles, list)
    assert roles[1]["keys"][0]["id"] != leaked
    assert show(capsys, "renew", "--expires", "30d")["days_left"] == 29
    assert show(capsys, "show")["version"] == 4


def test_keys_reads_passphrases_from_a_descriptor(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["keys", "new"]) == 0
    monkeypatch.delenv("JEOS_PASSPHRASE")
    (folder / "passphrases").write_text("another\nopen\n")
    descriptor = os.open(folder / "passphrases", os.O_RDONLY)
    try:
        assert show(capsys, "renew", "--passphrase-fd", str(descriptor))["version"] == 2
    finally:
        os.close(descriptor)


def test_keys_asks_where_somebody_sits(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JEOS_PASSPHRASE")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "typed")
    assert main.main(["keys", "new"]) == 0
    assert show(capsys, "renew")["version"] == 2


def test_keys_without_an_answer_are_not_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(prompt: str) -> str:
        raise EOFError

    monkeypatch.delenv("JEOS_PASSPHRASE")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", ended)
    assert main.main(["keys", "new"]) == 2
    assert "error: no passphrase was typed" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_keys_sign_completes_what_waits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["keys", "new", "--root-keys", "2", "--root-threshold", "2"]) == 0
    away = sorted((folder / "keys/root").iterdir())[0]
    away.rename(folder / away.name)
    capsys.readouterr()
    assert main.main(["keys", "renew"]) == 0
    assert "version 2 of the root lacks 1 signature" in capsys.readouterr().err
    (folder / away.name).rename(away)
    assert show(capsys, "sign")["version"] == 2


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["show"], 3, "keys is no folder of keys"),
        (["new", "--root-threshold", "2"], 2, "2 of 1 keys cannot sign for root"),
        (["new", "--pkcs11", "pkcs11:token=a"], 2, "names no role"),
        (["new", "--pkcs11", "root=usb"], 3, "usb is no PKCS#11 address"),
        (["rotate", "mirrors"], 2, "invalid choice: 'mirrors'"),
        (["renew", "--expires", "never"], 2, "not a time: 'never'"),
        (["new", "--passphrase-fd", "987"], 2, "no passphrase can be read from descriptor 987"),
    ],
)
def test_keys_refuses(
    words: list[str], status: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["keys", *words]) == status
    assert message in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_two_who_change_keys_at_once_are_one_too_many(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with changing(folder / "keys"):
        assert main.main(["keys", "new"]) == StoreError.exit_code
        assert "is being changed by another" in capsys.readouterr().err
    assert not (folder / "keys").exists()
    assert main.main(["keys", "new"]) == 0
    before = sorted(path.name for path in (folder / "keys").iterdir())
    with changing(folder / "keys"):
        for words in (["rotate", "timestamp"], ["revoke", "0123456789"], ["renew"], ["sign"]):
            assert main.main(["keys", *words]) == StoreError.exit_code
        assert main.main(["keys", "show"]) == 0
    assert (
        sorted(path.name for path in (folder / "keys").iterdir())
        == before
        == [*("1.root.json", "root", "root.json", "snapshot", "targets", "timestamp")]
    )


def test_keys_new_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JEOS_PASSPHRASE")
    assert main.main(["keys", "new"]) != 0
    assert list(folder.iterdir()) == []
