"""`jeos backup create --disk`, `list` and `restore`: what they print, write and refuse."""

import json
import random
import subprocess
from pathlib import Path

import pytest

from jeos.cli import main
from jeos.core.errors import InputError, StoreError, UsageError

CHUNK = 64 << 10


@pytest.fixture(autouse=True)
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "backups"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "old server.raw"
    with path.open("wb") as file:
        file.write(random.Random(1).randbytes(3 * CHUNK))
        file.truncate(80 << 20)
    return path


def jeos(*words: str | Path) -> int:
    return main.main(["backup", *map(str, words)])


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> object:
    capsys.readouterr()
    assert jeos(*words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_create_makes_the_vault_and_numbers_points(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert jeos("create", "--disk", disk) == 0
    assert capsys.readouterr().out == "old-server@1\n"
    disk.write_bytes(disk.read_bytes()[:-1] + b"x")
    assert jeos("create", "--disk", disk) == 0
    assert capsys.readouterr().out == "old-server@2\n"
    found = said(capsys, "list")
    assert isinstance(found, list)
    facts = ("machine", "number", "consistency", "size", "data", "disks", "notes", "verified")
    shared = {
        "machine": "old-server",
        "consistency": "stopped",
        "size": 80 << 20,
        "notes": [],
        "verified": None,
    }
    assert [{fact: point[fact] for fact in facts} for point in found] == [
        {
            **shared,
            "number": number,
            "data": data * CHUNK,
            "disks": [{"name": "disk", "format": "raw", "size": 80 << 20, "data": data * CHUNK}],
        }
        for number, data in ((1, 3), (2, 4))
    ]
    assert found[1]["new"] < 2 * CHUNK


@pytest.mark.parametrize("ending", ["raw", "qcow2"])
def test_restore_gives_the_disk_back(disk: Path, tmp_path: Path, ending: str) -> None:
    jeos("create", "--disk", disk, "--name", "web01")
    target = tmp_path / f"back.{ending}"
    assert jeos("restore", "web01", "-o", target) == 0
    subprocess.run(["qemu-img", "compare", "-F", "raw", "-f", ending, target, disk], check=True)
    assert target.stat().st_blocks * 512 < 1 << 20
    assert jeos("restore", "web01", "-o", target) == UsageError.exit_code
    assert jeos("restore", "web01", "-o", target, "--force") == 0


def test_restore_of_several_disks(disk: Path, tmp_path: Path) -> None:
    other = tmp_path / "data.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", disk, other], check=True)
    jeos("create", "--disk", disk, other, "--name", "pair")
    assert jeos("restore", "pair", "-o", tmp_path / "out.raw") == 0
    assert (tmp_path / "out.raw").read_bytes() == (tmp_path / "out-2.raw").read_bytes() == disk.read_bytes()
    assert jeos("restore", "pair", "--disk", "2", "-o", tmp_path / "second.raw") == 0
    assert (tmp_path / "second.raw").read_bytes() == disk.read_bytes()
    assert jeos("restore", "pair", "--disk", "3", "-o", tmp_path / "third.raw") == UsageError.exit_code


def test_restore_of_a_damaged_point_leaves_the_file_as_it_was(disk: Path, vault: Path, tmp_path: Path) -> None:
    jeos("create", "--disk", disk, "--name", "web01")
    target = tmp_path / "back.raw"
    target.write_bytes(b"precious")
    for pack in (vault / "packs").rglob("*"):
        if pack.is_file():
            content = bytearray(pack.read_bytes())
            content[len(content) // 2] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(content)
    assert jeos("restore", "web01", "-o", target, "--force") == StoreError.exit_code
    assert target.read_bytes() == b"precious"


def test_point_is_found_by_what_people_say(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jeos("create", "--disk", disk, "--name", "web01")
    found = said(capsys, "list", "web01")
    assert isinstance(found, list)
    name = str(found[0]["name"])
    time = name.partition("/")[2]
    for text in ("web01", "web01@latest", "web01@1", f"web01@{time}", f"web01@{time[:10]}", name):
        assert jeos("restore", text, "-o", "x.raw", "--force") == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("list",), UsageError.exit_code),  # nothing was backed up yet
        (("create", "--disk", "nowhere.raw"), UsageError.exit_code),
        (("create", "--disk", "package.ova"), InputError.exit_code),
        (("create",), UsageError.exit_code),
        (("create", "web01", "--name", "web02"), UsageError.exit_code),
        (("create", "no-machine"), 9),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], status: int, tmp_path: Path) -> None:
    (tmp_path / "package.ova").write_bytes(b"x" * 512)
    assert jeos(*words) == status


@pytest.mark.parametrize("which", ["web02", "web01@7", "web01@1999", "@", "web01@x/../y"])
def test_point_that_is_not_there_is_refused(disk: Path, which: str) -> None:
    jeos("create", "--disk", disk, "--name", "web01")
    assert jeos("restore", which, "-o", "x.raw") == UsageError.exit_code
    assert not Path("x.raw").exists()


def test_vault_is_for_its_owner_alone(disk: Path, vault: Path) -> None:
    jeos("create", "--disk", disk)
    assert vault.stat().st_mode & 0o777 == 0o700
