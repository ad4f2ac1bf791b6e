"""`jeos backup` on machines that run: create, boot, serve, watch, as a user calls them."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import boot_sectors
import tiny_guest
from jeos.cli.main import main
from jeos.core.errors import InputError, MachineError, UsageError
from jeos.vm import session
from jeos.vm.places import places_of

DEADLINE = 120.0


@pytest.fixture(autouse=True)
def own_vault(own_machines: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_BACKUPS", str(tmp_path / "vault"))
    monkeypatch.delenv("JEOS_PASSPHRASE", raising=False)


@pytest.mark.vm
def test_machine_is_backed_up_and_started_from_its_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session.run(tiny_guest.machine(tmp_path))
    assert main(["backup", "create", "tiny"]) == 0
    assert capsys.readouterr().out == "tiny@1\n"
    assert main(["backup", "create", "tiny", "--no-freeze", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["number"], told["read"], told["consistency"]) == (2, 0, "crash")
    assert main(["backup", "boot", "tiny@1", "--name", "again", "--memory", "48M"]) == 0
    assert capsys.readouterr().out == "again\n"
    assert session.seen("again").machine.memory == 48
    assert main(["backup", "boot", "tiny@latest", "--name", "again"]) == UsageError.exit_code
    session.stop("again", within=0)
    assert main(["run", "again", "--detach"]) == 0
    assert main(["run", "again", "--detach", "--fresh"]) != 0


@pytest.mark.vm
def test_machine_starts_from_an_encrypted_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JEOS_PASSPHRASE", "correct horse")
    assert main(["backup", "init", "--encrypt"]) == 0
    session.run(tiny_guest.machine(tmp_path))
    assert main(["backup", "create", "tiny"]) == 0
    assert main(["backup", "boot", "tiny", "--isolated"]) == 0
    until_said("tiny-1", "ready")


@pytest.mark.vm
def test_stopped_machine_gets_its_disk_back_in_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session.run(tiny_guest.machine(tmp_path))
    assert main(["backup", "create", "tiny"]) == 0
    capsys.readouterr()
    assert main(["backup", "restore", "tiny", "--in-place", "--yes"]) != 0  # it runs
    assert "tiny" in capsys.readouterr().err
    session.stop("tiny", within=0)
    disk = places_of("tiny").disk
    fill(disk, 5)
    before = as_raw(disk, tmp_path / "before.raw")
    assert main(["backup", "create", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["consistency"] == "stopped"
    fill(disk, 7)
    assert as_raw(disk, tmp_path / "changed.raw") != before
    assert main(["backup", "restore", "tiny", "--in-place", "--yes"]) == 0
    assert as_raw(disk, tmp_path / "after.raw") == before


def fill(disk: Path, byte: int) -> None:
    """Fill the first 64 KiB of a qcow2 disk."""
    command: list[str | Path] = ["qemu-io", "-f", "qcow2", "-c", f"write -P {byte} 0 64k", disk]
    subprocess.run(command, check=True, capture_output=True)


def as_raw(disk: Path, place: Path) -> bytes:
    """Return what a guest sees of a qcow2 disk."""
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", disk, place], check=True)
    return place.read_bytes()


def until_said(name: str, words: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while words not in places_of(name).console_log.read_text(errors="replace"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.vm
def test_watch_backs_up_what_is_due(tmp_path: Path) -> None:
    def points() -> list[str]:
        return sorted(path.name for path in (tmp_path / "vault/points").rglob("*") if path.is_file())

    schedules = tmp_path / "state/backups.toml"
    session.run(tiny_guest.machine(tmp_path))
    assert main(["backup", "watch", "--once"]) == UsageError.exit_code
    schedules.write_text("[default]")
    assert main(["backup", "watch", "--once"]) == InputError.exit_code
    schedules.write_text('[machines.other]\nevery = "1m"\n')
    assert main(["backup", "watch", "--once"]) == 0
    assert points() == []
    schedules.write_text('[default]\nevery = "1h"\n')
    assert main(["backup", "watch", "--once"]) == 0
    assert main(["backup", "watch", "--once"]) == 0  # nothing is due
    first = points()
    assert len(first) == 1
    schedules.write_text('[default]\nevery = "1m"\nkeep-last = 1\n')
    old = first[0].replace(first[0][:10], "2020-01-01")
    (tmp_path / f"vault/points/tiny/{first[0]}").rename(tmp_path / f"vault/points/tiny/{old}")
    assert main(["backup", "watch", "--once"]) == 0
    assert len(points()) == 1
    assert old not in points()


def test_units_are_such_as_systemd_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/jeos"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert main(["backup", "watch", "--print-units", "--store", "s3://bucket/all"]) == 0
    printed = capsys.readouterr().out
    assert f"ExecStart={program} backup watch --once --store s3://bucket/all\n" in printed
    service, timer = re.split(r"(?m)^# jeos-backup.timer.*$", printed)
    (tmp_path / "jeos-backup.service").write_text(service)
    (tmp_path / "jeos-backup.timer").write_text(timer)
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze here")
    units = [tmp_path / "jeos-backup.service", tmp_path / "jeos-backup.timer"]
    checked = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert [line for line in checked.stderr.splitlines() if "jeos-backup" in line] == []


@pytest.mark.vm
def test_serve_exports_a_point_until_it_is_told_to_end(tmp_path: Path) -> None:
    session.run(tiny_guest.machine(tmp_path))
    assert main(["backup", "create", "tiny"]) == 0
    place = tmp_path / "s"
    process = subprocess.Popen([sys.executable, "-m", "jeos", "backup", "serve", "tiny", "--socket", str(place)])
    try:
        deadline = time.monotonic() + DEADLINE
        while not place.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        address = f"nbd+unix:///disk?socket={place}"
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "raw", address, tmp_path / "copy"], check=True)
    finally:
        process.terminate()
        assert process.wait() == 0
    assert (tmp_path / "copy").read_bytes() == bytes(1 << 20)
    assert not place.exists()


@pytest.mark.vm
def test_verify_starts_the_points_that_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, says in (("good", "good login: "), ("bad", "Kernel panic - not syncing: no root\n")):
        (tmp_path / f"{name}.raw").write_bytes(boot_sectors.saying(says))
        assert main(["backup", "create", "--disk", str(tmp_path / f"{name}.raw")]) == 0
    capsys.readouterr()
    assert main(["backup", "verify", "--boot", "good", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sound"], [(one["point"], one["well"]) for one in told["started"]]) == (True, [("good@1", True)])
    assert main(["backup", "verify", "--boot"]) == MachineError.exit_code
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[-2:]] == [["bad@1", "FAILED"], ["good@1", "well"]]
    assert "its kernel panics:" in lines[-2]
