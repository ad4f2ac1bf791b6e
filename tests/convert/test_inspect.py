"""Whole disks, as partitioning and file system tools make them, become a survey."""

import gzip
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jeos.convert.inspect import Inspection, inspect
from jeos.convert.survey import Disk, Interface, Mount, RootArgument
from jeos.core.errors import InputError
from jeos.disk import initramfs
from jeos.disk.blocks import File, Memory

UUID, BOOT_UUID = "0b9c2c1e-5d2f-4f6b-9d44-2f8a6a5b7c10", "1b9c2c1e-5d2f-4f6b-9d44-2f8a6a5b7c10"
MEBIBYTE = 1 << 20
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'


def tool(*argv: str | Path, text: str = "") -> None:
    subprocess.run([str(word) for word in argv], input=text.encode(), check=True, capture_output=True)


def folder_of(place: Path, files: Mapping[str, str | bytes]) -> Path:
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return place


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a UEFI machine: ESP, /boot on ext2, / on ext4, and swap."""
    place = tmp_path_factory.mktemp("machine")
    image = place / "disk"
    with image.open("wb") as file:
        file.truncate(80 * MEBIBYTE)
    tool("sfdisk", "-q", image, text="label: gpt\nsize=8M, type=U\nsize=16M, type=L\nsize=40M, type=L\ntype=S\n")
    root = folder_of(
        place / "root",
        {
            "etc/os-release": OS_RELEASE,
            "etc/debian_version": "12.5\n",
            "etc/hostname": "legacy\n",
            "etc/fstab": f"UUID={UUID} / ext4 defaults 0 1\n/dev/sda2 /boot ext2 defaults 0 2\n/dev/sdb1 /srv xfs\n",
            "etc/network/interfaces": "iface ens192 inet static\n  address 192.0.2.7/24\n",
            "usr/bin/sh": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00" + bytes(44),
            "usr/sbin/update-initramfs": "#!/bin/sh\n",
            "var/lib/dpkg/status": "",
            "usr/lib/modules/6.1.0-9-amd64/modules.dep": "kernel/virtio_blk.ko:\n",
            "boot/hidden": "by what is mounted over it",
        },
    )
    contents = initramfs.archive({"conf/initramfs.conf": b"", "usr/lib/modules/6.1.0-9-amd64/vmw_pvscsi.ko": b"m"})
    boot = folder_of(
        place / "boot",
        {
            "vmlinuz-6.1.0-9-amd64": "kernel",
            "initrd.img-6.1.0-9-amd64": gzip.compress(contents),
            "grub/grub.cfg": "linux /vmlinuz-6.1.0-9-amd64 root=/dev/sda3 ro\n",
        },
    )
    tool("mke2fs", "-q", "-t", "ext2", "-U", BOOT_UUID, "-d", boot, "-E", f"offset={9 * MEBIBYTE}", image, "16M")
    tool("mke2fs", "-q", "-t", "ext4", "-U", UUID, "-d", root, "-E", f"offset={25 * MEBIBYTE}", image, "40M")
    tool("mkfs.vfat", "-i", "abcd1234", "--offset", str(2048), image, str(8 * 1024))
    (place / "grubx64.efi").write_bytes(b"MZ")
    tool("mmd", "-i", f"{image}@@1M", "::EFI", "::EFI/debian")
    tool("mcopy", "-i", f"{image}@@1M", place / "grubx64.efi", "::EFI/debian/grubx64.efi")
    with image.open("r+b") as file:
        file.seek(65 * MEBIBYTE + 4086)
        file.write(b"SWAPSPACE2")
    return image


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
