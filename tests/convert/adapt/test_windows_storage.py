"""viostor and vioscsi in Windows: file, service and devices, read back with ntfscat, ntfsfix and hivexregedit."""

import subprocess
from pathlib import Path

import pytest

import ntfs_volume
import virtio_disc
import windows_disk
import windows_machine
from jeos.convert import virtio_win
from jeos.convert.adapt import windows_storage
from jeos.convert.machine import Options
from jeos.core.errors import InputError
from windows_disk import Edition


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return windows_disk.make(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return virtio_disc.make(tmp_path_factory.mktemp("disc"))


def test_drivers_are_put_where_the_boot_loader_finds_them(volume: Path, disc: Path, tmp_path: Path) -> None:
    options = Options(virtio_win=disc)
    with windows_machine.machine(volume) as machine:
        fix = windows_storage.plan(machine, options)
    assert fix is not None
    assert fix.cannot == ()
    assert fix.notes[2].startswith("that it starts could not be tried without Windows; should it stop with 0x7B, start")
    after = windows_machine.apply(volume, fix, tmp_path / "after.img")
    checked = subprocess.run(
        ["ntfsfix", "-n", after], check=True, capture_output=True, text=True, env={"PATH": "/bin:/sbin:/usr/bin"}
    )
    assert "processed successfully" in checked.stdout
    for name in ("viostor", "vioscsi"):
        path = f"Windows/System32/drivers/{name}.sys"
        assert ntfs_volume.cat(after, path) == virtio_disc.driver(f"{name} 2k22")
    assert windows_machine.export(after, "SYSTEM", "\\ControlSet001\\Services\\viostor", tmp_path) == [
        "[\\ControlSet001\\Services\\viostor]",
        '"ErrorControl"=dword:00000001',
        '"Group"=str(1):"SCSI miniport"',
        '"ImagePath"=str(2):"system32\\drivers\\viostor.sys"',
        '"Start"=dword:00000000',
        '"Type"=dword:00000001',
        "",
        "[\\ControlSet001\\Services\\viostor\\Parameters]",
        "",
        "[\\ControlSet001\\Services\\viostor\\Parameters\\PnpInterface]",
        '"5"=dword:00000001',
        "",
    ]
    critical = windows_machine.export(after, "SYSTEM", "\\ControlSet001\\Control\\CriticalDeviceDatabase", tmp_path)
    assert critical.count('"Service"=str(1):"viostor"') == 4
    assert critical.count('"ClassGUID"=str(1):"{4D36E97B-E325-11CE-BFC1-08002BE10318}"') == 8
    assert (
        "[\\ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01]" in critical
    )
    database = windows_machine.export(after, "SYSTEM", "\\DriverDatabase", tmp_path)
    inf = database.index("[\\DriverDatabase\\DriverInfFiles\\jeos_viostor.inf]")
    assert '"Active"=str(1):"jeos_viostor.inf_amd64_0"' in database[inf : inf + 4]
    for device in ("VEN_1AF4&DEV_1001&REV_00", "VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01"):
        place = database.index(f"[\\DriverDatabase\\DeviceIds\\PCI\\{device}]")
        assert database[place + 1] == '"jeos_viostor.inf"=hex(3):01,ff,00,00'
        folder = "\\DriverDatabase\\DriverPackages\\jeos_viostor.inf_amd64_0"
        place = database.index(f"[{folder}\\Descriptors\\PCI\\{device}]")
        assert database[place + 1] == '"Configuration"=str(1):"jeos_configuration"'
    place = database.index(f"[{folder}\\Configurations\\jeos_configuration]")
    assert sorted(database[place + 1 : place + 3]) == ['"ConfigFlags"=dword:00000000', '"Service"=str(1):"viostor"']
    with windows_machine.machine(after) as machine:
        assert windows_storage.plan(machine, options) is None


def test_windows_7_has_no_driver_database(tmp_path: Path) -> None:
    disc = virtio_disc.make(tmp_path, releases=("w7",))
    seven = Edition(
        title="Windows 7 Professional", kind="Client", build="7601", old_version="6.1", major=None, database=False
    )
    with windows_machine.machine(windows_disk.make(tmp_path / "volume", seven)) as machine:
        keys = windows_machine.keys(windows_storage.plan(machine, Options(virtio_win=disc)))
    assert not any("DriverDatabase" in key for key in keys)
    assert keys[
        "SYSTEM\\ControlSet001\\Control\\CriticalDeviceDatabase\\PCI#VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00"
    ] == {
        "Service": "viostor",
        "ClassGUID": "{4D36E97B-E325-11CE-BFC1-08002BE10318}",
    }


def test_without_a_disc_the_two_phases_are_told(volume: Path) -> None:
    with windows_machine.machine(volume) as machine:
        fix = windows_storage.plan(machine, Options())
        assert fix is not None
        assert fix.changes == ()
        assert fix.cannot[0].startswith(
            "no virtio drivers were given (--virtio-win ISO): start the machine with its disk on SATA"
        )
        assert windows_storage.plan(machine, Options(hosts=("vmware",))) is None
        assert windows_storage.plan(windows_machine.in_family(machine, "debian"), Options()) is None


def test_driver_that_only_its_maker_signed_is_not_started(volume: Path, tmp_path: Path) -> None:
    disc = virtio_disc.make(tmp_path, signer=virtio_disc.VENDOR)
    with windows_machine.machine(volume) as machine:
        fix = windows_storage.plan(machine, Options(virtio_win=disc))
    assert fix is not None
    assert fix.changes == ()
    assert ["has no signature of Microsoft's" in why for why in fix.cannot] == [True, True, False]


def test_disc_without_this_version_is_said(volume: Path, tmp_path: Path) -> None:
    disc = virtio_disc.make(tmp_path, releases=("w11", "2k25"))
    with windows_machine.machine(volume) as machine:
        fix = windows_storage.plan(machine, Options(virtio_win=disc))
    assert fix is not None
    assert fix.cannot[:2] == (
        "the disc has no viostor for Windows Server 2022 Standard (amd64)",
        "the disc has no vioscsi for Windows Server 2022 Standard (amd64)",
    )


def test_disc_of_something_else_is_refused(volume: Path, tmp_path: Path) -> None:
    (tmp_path / "source" / "docs").mkdir(parents=True)
    other = tmp_path / "other.iso"
    subprocess.run(["genisoimage", "-quiet", "-J", "-o", other, tmp_path / "source"], check=True)
    for path, says in (
        (other, "has no virtio drivers"),
        (volume, "is no disc image"),
        (tmp_path / "none", "cannot be read"),
    ):
        with pytest.raises(InputError, match=says), virtio_win.open_disc(path):
            pass
