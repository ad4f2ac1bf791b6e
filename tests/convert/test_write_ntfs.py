"""Changes on NTFS inside of images, looked at with ntfs-3g's and hivex's own tools."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import hives
import ntfs_volume
import windows_disk
from jeos.convert import write_ntfs
from jeos.convert.changes import Append, Change, Registry, Remove, Write
from jeos.convert.windows import CONFIG
from jeos.core import settings
from jeos.core.errors import HostError, InputError, ProcessError
from jeos.disk import blocks
from jeos.disk.hive_edit import Keys, number, text

START = 3 << 20
DRIVER = bytes(range(256)) * 300
CHANGES: tuple[Change, ...] = (
    Write("Windows/System32/drivers/viostor.sys", DRIVER),
    Write("Windows/jeos/drivers/with a space/net'kvm.inf", b"[Version]\r\n"),
    Write("Users/Public/desktop.ini", b"short"),
    Append("Windows/INF/disk.inf", b"more", align=16),
    Remove("Windows/System32/drivers/pvscsi.sys"),
    Remove("Windows/nothing"),
    Registry(f"{CONFIG}/SYSTEM", (Keys("ControlSet001\\Services\\viostor", (number("Start", 0),)),)),
    Registry(f"{CONFIG}/system", (Keys("ControlSet001\\Services\\vioscsi", (text("Group", "SCSI miniport"),)),)),
)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return windows_disk.make(tmp_path_factory.mktemp("windows"), size=32 << 20)


def disk_of(volume: Path, folder: Path, *, kind: str = "raw") -> Path:
    """Return an image in which the volume lies behind other bytes, with more of them behind it."""
    raw = folder / "disk.raw"
    with raw.open("wb") as file:
        file.write(b"\xaa" * START)
        file.write(volume.read_bytes())
        file.write(b"\xbb" * 65536)
    if kind == "raw":
        return raw
    subprocess.run(["qemu-img", "convert", "-O", kind, raw, folder / f"disk.{kind}"], check=True)
    return folder / f"disk.{kind}"


def apply(image: Path, volume: Path, changes: tuple[Change, ...], *, kind: str = "raw") -> None:
    with blocks.File(volume) as read:
        size = volume.stat().st_size
        write_ntfs.write(image, kind=kind, start=START, size=size, volume=read, changes=changes)


def volume_in(image: Path, volume: Path, *, kind: str = "raw") -> Path:
    """Take the volume out of an image again, and hold what lies around it to what it was."""
    raw = image
    if kind != "raw":
        raw = image.with_suffix(".back")
        subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
    content = raw.read_bytes()
    end = START + volume.stat().st_size
    assert (content[:START], content[end:]) == (b"\xaa" * START, b"\xbb" * 65536)
    after = image.with_name("after.img")
    after.write_bytes(content[START:end])
    return after


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_write_changes_a_volume_inside_an_image(volume: Path, tmp_path: Path, kind: str) -> None:
    image = disk_of(volume, tmp_path, kind=kind)
    apply(image, volume, CHANGES, kind=kind)
    after = volume_in(image, volume, kind=kind)
    checked = subprocess.run(
        ["ntfsfix", "-n", after], check=True, capture_output=True, text=True, env={"PATH": "/bin:/sbin:/usr/bin"}
    )
    assert "processed successfully" in checked.stdout
    assert ntfs_volume.cat(after, "Windows/System32/drivers/viostor.sys") == DRIVER
    assert ntfs_volume.cat(after, "Windows/jeos/drivers/with a space/net'kvm.inf") == b"[Version]\r\n"
    assert ntfs_volume.cat(after, "Users/Public/desktop.ini") == b"short"
    assert ntfs_volume.cat(after, "Windows/INF/disk.inf") == b"[Version]\r\n".ljust(16, b"\0") + b"more"
    listed = subprocess.run(
        ["ntfsls", "-f", "-p", "Windows/System32/drivers", after], check=True, capture_output=True, text=True
    ).stdout
    assert listed.split() == [".", "..", "viostor.sys"]
    hive = tmp_path / "SYSTEM"
    hive.write_bytes(ntfs_volume.cat(after, f"{CONFIG}/SYSTEM"))
    assert '"Start"=dword:00000000' in hives.export(hive, "\\ControlSet001\\Services\\viostor")
    assert '"Group"=str(1):"SCSI miniport"' in hives.export(hive, "\\ControlSet001\\Services\\vioscsi")
    assert "PROCESSOR_ARCHITECTURE" in hives.export(hive, "\\ControlSet001\\Control")
    assert "jeos" not in Path("/proc/self/mountinfo").read_text().partition("fuse")[2]


@pytest.mark.root
def test_ordinary_user_writes_too(volume: Path, tmp_path: Path) -> None:
    """In a child that became a user with subordinate ids, as `useradd` gives them."""
    name = f"jeos{os.getpid()}"
    subprocess.run(["useradd", "--create-home", name], check=True, capture_output=True)
    try:
        home = Path(pwd.getpwnam(name).pw_dir)
        image = disk_of(volume, home)
        read = home / "volume.img"
        shutil.copyfile(volume, read)
        subprocess.run(["chown", "-R", name, home], check=True)
        child = os.fork()
        if child == 0:
            try:
                entry = pwd.getpwnam(name)
                os.environ.update(HOME=str(home), JEOS_TMPDIR=str(home / "tmp"))
                os.initgroups(name, entry.pw_gid)
                os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
                os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
                apply(image, read, CHANGES)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        after = volume_in(image, volume)
        assert ntfs_volume.cat(after, "Windows/System32/drivers/viostor.sys") == DRIVER
    finally:
        subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


def test_nothing_is_left_when_jeos_is_killed(volume: Path, tmp_path: Path) -> None:
    """Killed while files are being written, its programs and mounts go too."""
    image = disk_of(volume, tmp_path)
    many = tuple(Write(f"Windows/file {n}", b"x" * 4096) for n in range(400))
    child = os.fork()
    if child == 0:
        try:
            apply(image, volume, many)
        finally:
            os._exit(0)
    work = str(settings.work_dir())
    _until(lambda: any(line.startswith("ntfs-3g") for line in _commands(work)))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _until(lambda: not _commands(str(image)))
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def _commands(*words: str) -> list[str]:
    """Return the command lines of running programs that name one of these words."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if any(word in line for word in words):
                found.append(line)
    return found


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_write_refuses_a_volume_on_which_windows_sleeps(tmp_path: Path) -> None:
    edition = windows_disk.Edition(extra={"hiberfil.sys": b"hibr" + bytes(4096)})
    volume = windows_disk.make(tmp_path, edition, size=32 << 20)
    before = volume.read_bytes()
    with pytest.raises(InputError, match="sleeps on this volume"):
        apply(volume, volume, CHANGES)
    assert volume.read_bytes() == before


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/passwd", "Windows/../../x", "", "a//b"])
def test_write_refuses_paths_that_lead_elsewhere(volume: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="is no path"):
        apply(disk_of(volume, tmp_path), volume, (Write(path, b"x"),))


def test_write_says_when_the_volume_is_full(volume: Path, tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="No space left"):
        apply(disk_of(volume, tmp_path), volume, (Write("Windows/huge", bytes(40 << 20)),))


def test_check_host_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_ntfs, "_FUSE", Path("/nowhere/fuse"))
    with pytest.raises(HostError, match="/nowhere/fuse is missing"):
        write_ntfs.check_host()
