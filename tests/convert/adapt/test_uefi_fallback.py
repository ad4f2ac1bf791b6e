"""The fallback loader: each distribution's names, what must be beside it, and what is left alone."""

from collections.abc import Mapping

import pytest

from jeos.convert.adapt import uefi_fallback
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Boot, Loader, Survey, System
from memory_filesystem import Content, memory_root

DEBIAN: dict[str, Content] = {
    "EFI/debian/shimx64.efi": b"shim",
    "EFI/debian/grubx64.efi": b"grub",
    "EFI/debian/mmx64.efi": b"manager",
    "EFI/debian/fbx64.efi": b"fallback",
    "EFI/debian/BOOTX64.CSV": b"csv",
    "EFI/debian/grub.cfg": b"search.fs_uuid 1",
}
BOOT = Boot(loaders=(Loader("sda1", "EFI/debian/shimx64.efi", kind="shim"),))


def machine(esp: Mapping[str, Content], *, boot: Boot = BOOT, where: str = "boot/efi") -> Machine:
    # The name of a file system with capitals of no meaning ends in "efi" (memory_root).
    system = System(family="debian", volume="sda2", boot=boot)
    return Machine(Survey((), ()), system, memory_root({"boot": None}, {where: esp}))


def test_shim_comes_with_its_grub_and_both_their_companions() -> None:
    there = machine(DEBIAN)
    fix = uefi_fallback.plan(there, Options())
    assert fix == Fix(
        "uefi-fallback",
        "a boot loader that any UEFI firmware finds",
        changes=(
            Write("boot/efi/EFI/BOOT/BOOTX64.EFI", b"shim"),
            Write("boot/efi/EFI/BOOT/grubx64.efi", b"grub"),
            Write("boot/efi/EFI/BOOT/mmx64.efi", b"manager"),
            Write("boot/efi/EFI/BOOT/grub.cfg", b"search.fs_uuid 1"),
        ),
        notes=(
            "/boot/efi/EFI/BOOT/BOOTX64.EFI is a copy of /boot/efi/EFI/debian/shimx64.efi, "
            "with grubx64.efi, mmx64.efi, grub.cfg beside it",
        ),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert uefi_fallback.plan(after, Options()) is None


@pytest.mark.parametrize(
    ("esp", "names"),
    [
        ({"EFI/opensuse/shim.efi": b"s", "EFI/opensuse/grub.efi": b"g", "EFI/opensuse/MokManager.efi": b"m"}, 3),
        ({"EFI/redhat/grubx64.efi": b"g", "EFI/redhat/grub.cfg": b"c"}, 2),
        ({"EFI/systemd/systemd-bootx64.efi": b"b", "loader/loader.conf": b"c"}, 1),
        ({"EFI/ubuntu/shimaa64.efi": b"s", "EFI/ubuntu/grubaa64.efi": b"g"}, 2),
        ({"EFI/half/shimx64.efi": b"s", "EFI/whole/grubx64.efi": b"g"}, 1),
        # A shim that nobody gave a GRUB to load.
        ({"EFI/debian/shimx64.efi": b"s", "EFI/debian/grubx64.efi": b"g", "EFI/Boot/bootx64.efi": b"s"}, 1),
    ],
)
def test_every_kind_of_loader_is_copied_with_what_it_needs(esp: dict[str, Content], names: int) -> None:
    there = machine(esp)
    fix = uefi_fallback.plan(there, Options())
    assert fix is not None
    assert (len(fix.changes), fix.cannot) == (names, ())
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert uefi_fallback.plan(after, Options()) is None


@pytest.mark.parametrize(
    "beside",
    [
        {"EFI/BOOT/BOOTX64.EFI": b"another's"},
        {"EFI/Boot/bootx64.efi": b"shim", "EFI/Boot/fbx64.efi": b"fallback"},
        {"EFI/BOOT/BOOTX64.EFI": b"shim", "EFI/BOOT/GRUBX64.EFI": b"grub"},
    ],
)
def test_a_fallback_that_can_work_is_left_alone(beside: dict[str, Content]) -> None:
    assert uefi_fallback.plan(machine({**DEBIAN, **beside}), Options()) is None


def test_a_system_partition_at_boot_or_efi_is_found() -> None:
    fix = uefi_fallback.plan(machine({"EFI/systemd/systemd-bootx64.efi": b"b"}, where="efi"), Options())
    assert fix is not None
    assert fix.changes == (Write("efi/EFI/BOOT/BOOTX64.EFI", b"b"),)


def test_what_cannot_be_made_is_said() -> None:
    empty = uefi_fallback.plan(machine({"EFI/tools/shell.efi": b"x"}), Options())
    assert empty is not None
    assert empty.cannot == ("no boot loader was found on the EFI system partition to copy",)
    unmounted = uefi_fallback.plan(machine({}, where="srv"), Options())
    assert unmounted is not None
    assert unmounted.cannot == (
        "the EFI system partition is not mounted in this machine: its fallback loader cannot be made",
    )
    assert uefi_fallback.plan(machine({}, where="srv", boot=Boot(bios="sda")), Options()) is None
