"""Whole disks, as partitioning and file system tools make them, become a survey."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import windows_disk
from jeos.convert.inspect import Inspection, inspect
from jeos.convert.survey import Disk, Interface, Mount, RootArgument
from jeos.core.errors import InputError
from jeos.disk.blocks import File, Memory
from small_machine import BOOT_UUID, MEBIBYTE, UUID, folder_of, make_disk, tool


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_disk(tmp_path_factory.mktemp("machine"))


def surveyed(path: Path) -> Inspection:
    with File(path) as blocks:
        return inspect([blocks])


def test_disks_and_volumes(disk: Path) -> None:
    survey = surveyed(disk).survey
    assert [(item.name, item.size, item.table) for item in survey.disks] == [("sda", 80 * MEBIBYTE, "gpt")]
    assert [(item.name, item.content, item.uuid, item.size) for item in survey.volumes] == [
        ("sda1", "vfat", "ABCD-1234", 8 * MEBIBYTE),
        ("sda2", "ext2", BOOT_UUID, 16 * MEBIBYTE),
        ("sda3", "ext4", UUID, 40 * MEBIBYTE),
        ("sda4", "swap", "00000000-0000-0000-0000-000000000000", 14 * MEBIBYTE),
    ]
    assert all(item.used for item in survey.volumes[:3]) and survey.notes == ()


def test_system_over_its_mounts(disk: Path) -> None:
    found = surveyed(disk)
    (system,) = found.survey.systems
    assert (system.family, system.pretty, system.version, system.architecture, system.hostname, system.volume) == (
        "debian",
        "Debian GNU/Linux 12 (bookworm)",
        "12.5",
        "amd64",
        "legacy",
        "sda3",
    )
    assert (system.packages, system.initramfs, system.boot.firmware) == ("dpkg", "initramfs-tools", "uefi")
    assert system.mounts == (
        Mount(f"UUID={UUID}", "/", "ext4", "defaults", "sda3", 1),
        Mount("/dev/sda2", "/boot", "ext2", "defaults", "sda2", 2),
        Mount("/dev/sdb1", "/srv", "xfs", "defaults", "", 3),
    )
    assert system.notes == ("fstab mounts /dev/sdb1 at /srv, which is on none of the disks",)
    (kernel,) = system.kernels
    assert kernel.initrd is not None
    assert (kernel.version, kernel.available, kernel.initrd.modules) == (
        "6.1.0-9-amd64",
        ("virtio_blk",),
        ("vmw_pvscsi",),
    )
    assert kernel.starts_on("vmware") and not kernel.starts_on("virtio")
    assert system.interfaces == (
        Interface("ens192", "ifupdown", "etc/network/interfaces", addresses=("192.0.2.7/24",)),
    )
    assert system.boot.roots == (RootArgument("boot/grub/grub.cfg", 1, "/dev/sda3", "sda3"),)


def test_files_of_a_system_can_be_read_and_placed(disk: Path) -> None:
    with File(disk) as blocks:
        found = inspect([blocks])
        (machine,) = found.machines()
        assert machine.root.read_text("etc/hostname") == "legacy\n"
        assert not machine.root.exists("boot/hidden")
        mounted, inner = machine.root.locate("boot/grub/new.cfg")
        part = found.part(mounted.volume)
        assert inner == "grub/new.cfg" and part is not None and part.pieces[0].start == 9 * MEBIBYTE


def test_disk_with_nothing_on_it() -> None:
    survey = inspect([Memory(bytes(MEBIBYTE))]).survey
    assert (survey.disks, survey.systems, survey.notes) == ((Disk("sda", MEBIBYTE),), (), ())
    with pytest.raises(InputError, match="no disk"):
        inspect([])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_turned_bytes_never_keep_the_rest_from_being_found(disk: Path, data: st.DataObject) -> None:
    content = bytearray(disk.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from([25, 26, 27, 33])) * MEBIBYTE + data.draw(st.integers(1024, 20_000))
        content[at] = data.draw(st.integers(0, 255))
    survey = inspect([Memory(content)]).survey
    assert [item.name for item in survey.volumes] == ["sda1", "sda2", "sda3", "sda4"]
    assert survey.volumes[0].content == "vfat" and survey.volumes[1].uuid == BOOT_UUID


def test_windows_with_its_efi_system_partition(tmp_path: Path) -> None:
    system, image = windows_disk.make(tmp_path / "windows"), tmp_path / "disk"
    size = system.stat().st_size
    with image.open("wb") as file:
        file.truncate(size + 20 * MEBIBYTE)
    tool("sfdisk", "-q", image, text=f"label: gpt\nsize=8M, type=U\nsize={size // 512}, type=L\n")
    tool("mkfs.vfat", "--offset", "2048", image, str(8 * 1024))
    (tmp_path / "bootmgfw.efi").write_bytes(b"MZ")
    tool("mmd", "-i", f"{image}@@1M", "::EFI", "::EFI/Microsoft", "::EFI/Microsoft/Boot")
    tool("mcopy", "-i", f"{image}@@1M", tmp_path / "bootmgfw.efi", "::EFI/Microsoft/Boot/bootmgfw.efi")
    with image.open("r+b") as file, system.open("rb") as source:
        file.seek(9 * MEBIBYTE)
        while piece := source.read(MEBIBYTE):
            file.write(piece)
    with File(image) as blocks:
        found = inspect([blocks])
        (windows,) = found.survey.systems
        assert (windows.family, windows.pretty, windows.volume) == ("windows", "Windows Server 2022 Standard", "sda2")
        assert (windows.version, windows.architecture, windows.hostname) == ("10.0.20348.2113", "amd64", "oldhost")
        assert [(item.name, item.addresses) for item in windows.interfaces] == [("Ethernet0", ("192.0.2.7/24",))]
        assert [(item.name, item.host, item.units) for item in windows.tools] == [
            ("VMware Tools", "vmware", ("VMTools",))
        ]
        (root,) = found.roots
        assert root.read("efi/EFI/Microsoft/Boot/bootmgfw.efi") == b"MZ"


@pytest.mark.root
@pytest.mark.parametrize("default", ["", "@/.snapshots/1/snapshot"])
def test_btrfs_system_is_in_its_subvolume_and_not_in_snapshots(default: str, tmp_path: Path) -> None:
    image, place = tmp_path / "disk", tmp_path / "mount"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(160 * MEBIBYTE)
    tool("mkfs.btrfs", "-q", "-U", UUID, image)
    tool("mount", "-o", "loop", image, place)
    try:
        root = default or "@"
        for path in ("@", "@/.snapshots", "@/.snapshots/1", "@home"):
            if path != "@/.snapshots/1":
                tool("btrfs", "subvolume", "create", place / path)
            else:
                (place / path).mkdir()
        if default:
            tool("btrfs", "subvolume", "create", place / default)
            tool("btrfs", "subvolume", "set-default", place / default)
        option = "" if default else ",subvol=@"
        fstab = f"UUID={UUID} / btrfs defaults{option} 0 0\nUUID={UUID} /home btrfs subvol=/@home 0 0\n"
        files = {"etc/os-release": "ID=opensuse-leap\nPRETTY_NAME=Leap\n", "etc/fstab": fstab, "usr/bin/x": ""}
        folder_of(place / root, files)
        folder_of(place / "@home", {"user/file": "at home"})
        tool("btrfs", "subvolume", "snapshot", place / root, place / "old")
    finally:
        tool("umount", place)
    with File(image) as blocks:
        found = inspect([blocks])
        assert [(item.pretty, item.family, item.volume, item.subvolume) for item in found.survey.systems] == [
            ("Leap", "suse", "sda", root)
        ]
        assert found.roots[0].read("home/user/file") == b"at home"
        mounted, inner = found.roots[0].locate("home/user/new")
        assert (mounted.subvolume, inner) == ("@home", "user/new")
