"""Windows's boot manager under the fallback's name."""

from pathlib import Path

import pytest

import virtio_disc
import windows_disk
import windows_machine
from jeos.convert.adapt import windows_boot
from jeos.convert.changes import Write
from jeos.convert.machine import Options
from jeos.disk.root import Mounted
from memory_filesystem import memory_root

MANAGER = "EFI/Microsoft/Boot/bootmgfw.efi"


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return windows_disk.make(tmp_path_factory.mktemp("windows"))


@pytest.mark.parametrize(("machine", "name"), [(0x8664, "BOOTX64.EFI"), (0xAA64, "BOOTAA64.EFI")])
def test_boot_manager_is_copied(volume: Path, machine: int, name: str) -> None:
    manager = virtio_disc.driver("boot manager", machine=machine)
    esp = memory_root({}, {"efi": {MANAGER: manager}}).mounts["efi"]
    with windows_machine.machine(volume, extra=(esp,)) as found:
        fix = windows_boot.plan(found, Options())
    assert fix is not None
    assert fix.changes == (Write(f"efi/EFI/BOOT/{name}", manager),)
    assert fix.notes == (f"\\EFI\\BOOT\\{name} is a copy of Windows's boot manager",)


def test_fallback_that_is_there_is_left_alone(volume: Path) -> None:
    manager = virtio_disc.driver("boot manager")
    esp = memory_root({}, {"efi": {MANAGER: manager, "EFI/Boot/bootx64.efi": b"other"}}).mounts["efi"]
    with windows_machine.machine(volume, extra=(esp,)) as found:
        assert windows_boot.plan(found, Options()) is None


def test_what_is_no_program_is_said(volume: Path) -> None:
    esp: Mounted = memory_root({}, {"efi": {MANAGER: b"MZ"}}).mounts["efi"]
    with windows_machine.machine(volume, extra=(esp,)) as found:
        fix = windows_boot.plan(found, Options())
    assert fix is not None
    assert fix.cannot == ("/efi/EFI/Microsoft/Boot/bootmgfw.efi is no program for UEFI that jeos knows",)


def test_machine_that_starts_by_bios_has_nothing_to_copy(volume: Path) -> None:
    with windows_machine.machine(volume) as found:
        assert windows_boot.plan(found, Options()) is None
