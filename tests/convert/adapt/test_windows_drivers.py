"""What Windows does at its first start: drivers that lie ready, and scripts that say what they should."""

from pathlib import Path

import pytest

import ntfs_volume
import virtio_disc
import windows_disk
import windows_machine
from jeos.convert import first_boot
from jeos.convert.adapt import windows_drivers
from jeos.convert.machine import Options
from jeos.convert.windows import Address
from windows_disk import Edition


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return windows_disk.make(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return virtio_disc.make(tmp_path_factory.mktemp("disc"))


def test_drivers_scripts_and_service_lie_ready(volume: Path, disc: Path, tmp_path: Path) -> None:
    options = Options(virtio_win=disc, macs=("00:50:56:aa:bb:01",))
    with windows_machine.machine(volume) as machine:
        fix = windows_drivers.plan(machine, options)
    assert fix is not None
    assert fix.notes == (
        "at the first start Windows installs viostor, vioscsi, NetKVM, Balloon",
        "at the first start Windows installs QEMU's guest agent",
        "Ethernet0: 192.0.2.7/24 go to the card with the address 00:50:56:aa:bb:01",
        "what is done at the first start could not be tried here; Windows\\jeos\\first-boot.log tells how it went",
    )
    after = windows_machine.apply(volume, fix, tmp_path / "after.img")
    folder = "Windows/jeos/drivers/NetKVM"
    assert ntfs_volume.cat(after, f"{folder}/netkvm.sys") == virtio_disc.driver("NetKVM 2k22")
    assert ntfs_volume.cat(after, f"{folder}/netkvm.inf") == b"; NetKVM for 2k22\r\n"
    assert ntfs_volume.cat(after, "Windows/jeos/qemu-ga.msi") == b"installer"
    assert not any(path.endswith(".pdb") for path in windows_machine.paths(fix.changes))
    assert ntfs_volume.cat(after, "Windows/jeos/first-boot.cmd") == first_boot.command_script()
    network = ntfs_volume.cat(after, "Windows/jeos/network.ps1").decode()
    assert (
        "    @{ mac = '00:50:56:AA:BB:01'; addresses = @('192.0.2.7'); masks = @('255.255.255.0'); "
        "gateways = @('192.0.2.1'); servers = @('192.0.2.53', '192.0.2.54') }\r\n" in network
    )
    assert windows_machine.export(after, "SYSTEM", "\\ControlSet001\\Services\\JeosFirstBoot", tmp_path) == [
        "[\\ControlSet001\\Services\\JeosFirstBoot]",
        '"DisplayName"=str(1):"jeos: what a conversion left to do"',
        '"ErrorControl"=dword:00000000',
        '"ImagePath"=str(2):"%SystemRoot%\\System32\\cmd.exe /c start \\"\\" /b cmd.exe /c '
        '\\"%SystemRoot%\\jeos\\first-boot.cmd\\""',
        '"ObjectName"=str(1):"LocalSystem"',
        '"Start"=dword:00000002',
        '"Type"=dword:00000010',
        "",
    ]
    said = windows_machine.export(after, "SOFTWARE", "\\Microsoft\\Windows\\CurrentVersion", tmp_path)
    assert said[1] == (
        '"DevicePath"=str(2):"%SystemRoot%\\inf;%SystemRoot%\\jeos\\drivers\\viostor;'
        "%SystemRoot%\\jeos\\drivers\\vioscsi;%SystemRoot%\\jeos\\drivers\\NetKVM;"
        '%SystemRoot%\\jeos\\drivers\\Balloon"'
    )
    with windows_machine.machine(after) as machine:
        assert windows_drivers.plan(machine, options) is None


def test_without_a_disc_only_the_addresses_are_kept(volume: Path) -> None:
    with windows_machine.machine(volume) as machine:
        fix = windows_drivers.plan(machine, Options())
    assert fix is not None
    assert list(windows_machine.files(fix)) == ["Windows/jeos/network.ps1", "Windows/jeos/first-boot.cmd"]
    assert fix.notes[0] == "Ethernet0: 192.0.2.7/24 go to a network card, in their order"
    assert fix.cannot[0].startswith("no virtio drivers were given")


def test_without_a_disc_or_addresses_nothing_is_left_behind(tmp_path: Path) -> None:
    with windows_machine.machine(windows_disk.make(tmp_path, Edition(dhcp=True))) as machine:
        fix = windows_drivers.plan(machine, Options())
    assert fix is not None
    assert fix.changes == ()


def test_script_takes_over_nothing_but_addresses() -> None:
    """The registry is the machine's, and may be anybody's: what it says never becomes a command."""
    bad = Address(
        guid="{1}",
        name="'; calc; '",
        dhcp=False,
        addresses=("192.0.2.7/24",),
        gateways=("192.0.2.1'); calc; ('",),
        servers=("evil", "2001:db8::1", "192.0.2.53"),
    )
    script = first_boot.network_script([bad], macs=[""]).decode()
    line = next(line for line in script.splitlines() if line.startswith("    @{"))
    assert line == (
        "    @{ mac = ''; addresses = @('192.0.2.7'); masks = @('255.255.255.0'); gateways = $null; "
        "servers = @('192.0.2.53') }"
    )


def test_scripts_are_what_windows_reads() -> None:
    """Lines end as Windows ends them, in plain ASCII, which every code page agrees on."""
    for script in (first_boot.command_script(), first_boot.network_script([], macs=[])):
        assert script.isascii()
        assert script.count(b"\n") == script.count(b"\r\n")
