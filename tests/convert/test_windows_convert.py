"""A whole disk with Windows on it, through `jeos inspect` and `jeos convert`, looked at with other programs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import ntfs_volume
import virtio_disc
import windows_disk
import windows_machine
from jeos.cli.main import main
from windows_disk import Edition

MIB = 1 << 20
ESP_START, ESP_SIZE = MIB, 40 * MIB
WINDOWS_START, WINDOWS_SIZE = 48 * MIB, 64 * MIB
PATH = {"PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}
MANAGER = virtio_disc.driver("boot manager")


def make_disk(folder: Path, edition: Edition | None = None, *, windows: bytes = b"") -> Path:
    """Make a disk with an EFI system partition and Windows, as Windows's installer lays them out."""
    folder.mkdir(exist_ok=True)
    volume = windows or windows_disk.make(folder / "volume", edition, size=WINDOWS_SIZE).read_bytes()
    disk = folder / "windows.raw"
    with disk.open("wb") as file:
        file.seek(WINDOWS_START)
        file.write(volume)
        file.truncate(WINDOWS_START + WINDOWS_SIZE + 2 * MIB)
    layout = (
        "label: gpt\n"
        f"start={ESP_START // 512}, size={ESP_SIZE // 512}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n"
        f"start={WINDOWS_START // 512}, size={WINDOWS_SIZE // 512}, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n"
    )
    subprocess.run(["sfdisk", "--quiet", disk], input=layout.encode(), check=True, capture_output=True, env=PATH)
    esp = folder / "esp.img"
    with esp.open("wb") as file:
        file.truncate(ESP_SIZE)
    subprocess.run(["mkfs.vfat", "-F", "32", "-s", "1", esp], check=True, capture_output=True, env=PATH)
    manager = folder / "bootmgfw.efi"
    manager.write_bytes(MANAGER)
    places = ["::EFI", "::EFI/Microsoft", "::EFI/Microsoft/Boot"]
    subprocess.run(["mmd", "-i", esp, *places], check=True)
    subprocess.run(["mcopy", "-i", esp, manager, "::EFI/Microsoft/Boot/bootmgfw.efi"], check=True)
    with disk.open("r+b") as file:
        file.seek(ESP_START)
        file.write(esp.read_bytes())
    return disk


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_disk(tmp_path_factory.mktemp("windows"))


def test_windows_is_converted(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disc = virtio_disc.make(tmp_path)
    before = disk.read_bytes()
    target = tmp_path / "server.qcow2"
    assert main(["convert", str(disk), "--virtio-win", str(disc), "-o", str(target), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    system = report["survey"]["systems"][0]
    assert (system["pretty"], system["hostname"], system["architecture"]) == (
        "Windows Server 2022 Standard",
        "oldhost",
        "amd64",
    )
    assert disk.read_bytes() == before
    subprocess.run(["qemu-img", "check", target], check=True, capture_output=True)
    raw = tmp_path / "back.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", target, raw], check=True)
    content = raw.read_bytes()
    subprocess.run(["sfdisk", "--verify", raw], check=True, capture_output=True, env=PATH)
    volume = tmp_path / "volume.img"
    volume.write_bytes(content[WINDOWS_START : WINDOWS_START + WINDOWS_SIZE])
    checked = subprocess.run(["ntfsfix", "-n", volume], check=True, capture_output=True, text=True, env=PATH)
    assert "processed successfully" in checked.stdout
    assert ntfs_volume.cat(volume, "Windows/System32/drivers/viostor.sys") == virtio_disc.driver("viostor 2k22")
    assert b"192.0.2.7" in ntfs_volume.cat(volume, "Windows/jeos/network.ps1")
    for key, line in (
        ("ControlSet001\\Services\\viostor", '"Start"=dword:00000000'),
        ("ControlSet001\\Services\\storahci", '"Start"=dword:00000000'),
        ("ControlSet001\\Services\\VMTools", '"Start"=dword:00000004'),
        ("ControlSet001\\Services\\JeosFirstBoot", '"Start"=dword:00000002'),
    ):
        assert line in windows_machine.export(volume, "SYSTEM", f"\\{key}", tmp_path)
    esp = tmp_path / "esp.img"
    esp.write_bytes(content[ESP_START : ESP_START + ESP_SIZE])
    subprocess.run(["fsck.vfat", "-n", esp], check=True, capture_output=True, env=PATH)
    copy = tmp_path / "copy.efi"
    subprocess.run(["mcopy", "-i", esp, "::EFI/BOOT/BOOTX64.EFI", copy], check=True)
    assert copy.read_bytes() == MANAGER


def test_converted_windows_needs_nothing_more(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disc = virtio_disc.make(tmp_path)
    first, second = tmp_path / "first.raw", tmp_path / "second.raw"
    assert main(["convert", str(disk), "--virtio-win", str(disc), "-o", str(first)]) == 0
    capsys.readouterr()
    assert main(["convert", str(first), "--virtio-win", str(disc), "-o", str(second), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["fixes"] == [[]]
    assert first.read_bytes() == second.read_bytes()


def test_inspect_tells_of_windows(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(disk)]) == 0
    said = capsys.readouterr().out
    for text in (
        "Windows Server 2022 Standard",
        "oldhost",
        "192.0.2.7/24",
        "VMware Tools",
        "no virtio drivers were given",
    ):
        assert text in said


@pytest.mark.parametrize(
    ("volume", "edition", "says"),
    [
        (b"", Edition(extra={"hiberfil.sys": b"HIBR" + bytes(4096)}), "Windows sleeps on its disk"),
        (b"\xeb\x58\x90-FVE-FS-".ljust(510, b"\0") + b"\x55\xaa" + bytes(MIB), None, "is locked by BitLocker"),
    ],
    ids=["hibernated", "bitlocker"],
)
def test_windows_that_must_not_be_changed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], volume: bytes, edition: Edition | None, says: str
) -> None:
    disk = make_disk(tmp_path / "source", edition, windows=volume)
    target = tmp_path / "server.qcow2"
    assert main(["convert", str(disk), "-o", str(target)]) == 3
    said = capsys.readouterr().err
    assert says in said
    assert "--no-fixes" in said
    assert not target.exists()
    assert main(["convert", str(disk), "-o", str(target), "--no-fixes"]) == 0
    compared = subprocess.run(["qemu-img", "compare", disk, target], capture_output=True, text=True)
    assert "Images are identical" in compared.stdout
