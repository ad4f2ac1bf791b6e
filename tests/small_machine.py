"""A small machine on a disk: partitions, file systems and files as real ones have them, with nothing that would run."""

import gzip
import subprocess
from collections.abc import Mapping
from pathlib import Path

from jeos.disk import initramfs

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


def make_disk(place: Path) -> Path:
    """Make a UEFI machine: ESP, /boot on ext2, / on ext4, and swap."""
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
