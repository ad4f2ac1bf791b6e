"""`jeos backup ls`, `get` and `diff` on file systems that mke2fs and debugfs wrote."""

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from jeos.cli import main
from jeos.core.errors import InputError, UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file_system(place: Path, files: dict[str, str]) -> Path:
    tree = place.with_suffix(".tree")
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / "link").symlink_to("/etc/hostname")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, place, "16m"], check=True)
    shutil.rmtree(tree)
    return place


@pytest.fixture
def disk(folder: Path) -> Path:
    """Back up a system's disk twice: a file came, one changed, one went."""
    place = file_system(
        folder / "web01.raw",
        {"etc/os-release": "ID=debian\n", "etc/hostname": "one\n", "etc/old": "old\n", "usr/bin/tool": "#!\n"},
    )
    assert main.main(["backup", "create", "--disk", str(place)]) == 0
    (folder / "hostname").write_text("another\n")
    steps = "rm /etc/old\nrm /etc/hostname\ncd etc\nwrite hostname hostname\nwrite hostname new\n"
    subprocess.run(["debugfs", "-w", "-f", "-", place], input=steps.encode(), check=True, capture_output=True)
    assert main.main(["backup", "create", "--disk", str(place)]) == 0
    return place


def said(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    capsys.readouterr()
    assert main.main(["backup", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def names(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    found = said(capsys, "ls", *words)
    assert isinstance(found, list)
    return [item["path"] for item in found]


@pytest.mark.usefixtures("disk")
def test_ls_of_each_point(capsys: pytest.CaptureFixture[str]) -> None:
    assert names(capsys, "web01@1", "/etc") == ["/etc/hostname", "/etc/old", "/etc/os-release"]
    assert names(capsys, "web01", "etc") == ["/etc/hostname", "/etc/new", "/etc/os-release"]
    assert names(capsys, "web01@1", "/usr", "-R") == ["/usr", "/usr/bin", "/usr/bin/tool"]
    assert names(capsys, "web01@1", "/link") == ["/etc/hostname"]
    assert main.main(["backup", "ls", "web01", "/nowhere"]) == InputError.exit_code


@pytest.mark.usefixtures("disk")
def test_diff_of_two_points(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, "diff", "web01@1", "web01@2", "/etc")
    assert isinstance(found, list)
    for item in found:  # which mode a new file has is up to the version of debugfs
        item["what"] = [word for word in item["what"] if word != "mode"]
    assert found == [
        {"path": "/etc/hostname", "change": "changed", "what": ["content"], "size_before": 4, "size": 8},
        {"path": "/etc/new", "change": "added", "what": [], "size_before": 0, "size": 8},
        {"path": "/etc/old", "change": "removed", "what": [], "size_before": 4, "size": 0},
    ]
    assert said(capsys, "diff", "web01@1", "web01@1") == []


@pytest.mark.usefixtures("disk")
def test_get_into_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "out").mkdir()
    assert said(capsys, "get", "web01@1", "/etc", "/usr/bin/tool", "-o", "out") == {
        "files": 5,
        "bytes": 21,
        "notes": [],
        "failures": [],
    }
    assert (folder / "out/etc/hostname").read_text() == "one\n"
    assert (folder / "out/tool").read_text() == "#!\n"
    assert main.main(["backup", "get", "web01@2", "/etc", "-o", "out"]) == UsageError.exit_code
    assert (folder / "out/etc/hostname").read_text() == "one\n"
    assert main.main(["backup", "get", "web01@2", "/etc", "-o", "nowhere"]) == UsageError.exit_code


@pytest.mark.usefixtures("disk")
def test_get_an_archive(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main.main(["backup", "get", "web01@2", "/etc", "--tar", "-o", "etc.tar"]) == 0
    with tarfile.open(folder / "etc.tar") as archive:
        assert archive.getnames() == ["etc", "etc/hostname", "etc/new", "etc/os-release"]
    assert main.main(["backup", "get", "web01@2", "/etc", "--tar"]) == UsageError.exit_code
    assert main.main(["backup", "get", "web01@2", "/etc", "--tar", "-o", "etc.tar"]) == UsageError.exit_code
    capfdbinary.readouterr()
    assert main.main(["backup", "get", "web01@2", "/etc/new", "--tar", "-o", "-"]) == 0
    with tarfile.open(fileobj=io.BytesIO(capfdbinary.readouterr().out)) as archive:
        content = archive.extractfile("etc/new")
        assert content is not None and content.read() == b"another\n"


def test_disk_without_a_system_is_browsed_by_volumes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (file_system(folder / f"{name}.raw", {f"{name}/file": name}) for name in ("mail", "data"))
    main.main(["backup", "create", "--disk", str(one)])
    assert names(capsys, "mail", "/mail") == ["/mail/file"]
    main.main(["backup", "create", "--disk", str(one), str(two), "--name", "both"])
    assert main.main(["backup", "ls", "both"]) == UsageError.exit_code
    assert "sda, sdb" in capsys.readouterr().err
    assert names(capsys, "both", "/data", "--volume", "sdb") == ["/data/file"]
    assert main.main(["backup", "ls", "both", "--volume", "sdc"]) == UsageError.exit_code


def test_disk_without_files_is_said(folder: Path) -> None:
    (folder / "blank.raw").write_bytes(bytes(1 << 20))
    main.main(["backup", "create", "--disk", "blank.raw"])
    assert main.main(["backup", "ls", "blank"]) == InputError.exit_code
