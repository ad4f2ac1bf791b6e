"""`jeos backup prune`: what goes, what stays readable, and what is refused."""

import json
import random
from pathlib import Path

import pytest

from jeos.cli import main
from jeos.core.errors import UsageError

CHUNK = 64 << 10


@pytest.fixture(autouse=True)
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Back up a disk three times; each time another half of it is new."""
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "web01.raw"
    for seed in range(3):
        path.write_bytes(random.Random(0).randbytes(10 * CHUNK) + random.Random(seed + 1).randbytes(10 * CHUNK))
        assert main.main(["backup", "create", "--disk", str(path)]) == 0
    return path


def room(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def said(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    assert main.main(["backup", "prune", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def numbers(capsys: pytest.CaptureFixture[str]) -> list[int]:
    capsys.readouterr()
    assert main.main(["backup", "list", "--json"]) == 0
    return [point["number"] for point in json.loads(capsys.readouterr().out)]


def test_prune_frees_what_only_old_points_need(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vault = disk.parent / "backups"
    before = room(vault)
    planned = said(capsys, "--keep-last", "1", "--dry-run")
    assert [point["kept"] for point in planned["points"]] == [False, False, True]  # type: ignore[attr-defined]
    assert planned["collected"]["freed"] > 19 * CHUNK  # type: ignore[index]
    assert numbers(capsys) == [1, 2, 3]
    assert room(vault) == before
    said(capsys, "--keep-last", "1", "--yes")
    assert numbers(capsys) == [3]
    assert room(vault) < before - 19 * CHUNK
    assert main.main(["backup", "restore", "web01", "-o", "back.raw"]) == 0
    assert Path("back.raw").read_bytes() == disk.read_bytes()
    assert main.main(["backup", "create", "--disk", str(disk)]) == 0
    assert numbers(capsys) == [3, 4]


def test_prune_of_one_point(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "--point", "web01@2", "--yes")
    assert numbers(capsys) == [1, 3]


def test_prune_without_rules_only_collects(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys)
    assert numbers(capsys) == [1, 2, 3]


@pytest.mark.parametrize(
    "words",
    [
        ("web01",),
        ("--keep-last", "1"),  # nobody is there to be asked
        ("--keep-last", "1", "--point", "web01@1", "--yes"),
        ("web02", "--keep-last", "1", "--yes"),
        ("--keep-last", "-1"),
        ("--keep-daily", "many"),
    ],
)
def test_prune_refuses(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["backup", "prune", *words]) == UsageError.exit_code
    assert numbers(capsys) == [1, 2, 3]
