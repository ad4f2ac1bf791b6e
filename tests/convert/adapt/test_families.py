"""Whole machines as each distribution's installer leaves them on VMware: inspected, mended, inspected again."""

import pytest

from installed_systems import CONSOLE, MAC, UUIDS, describe, kernel, mended, survey, volume
from jeos.convert import adapt
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import System
from jeos.disk.root import Mounted, Root
from memory_filesystem import Content, Link, MemoryFileSystem

UBUNTU: dict[str, Content] = {
    **kernel("6.8.0-31-generic", "initrd.img-6.8.0-31-generic", suffix=".ko", there={"scripts/init-top/udev": b""}),
    "usr/lib/os-release": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n',
    "etc/os-release": Link("../usr/lib/os-release"),
    "etc/fstab": "/dev/disk/by-uuid/4003 / ext4 defaults 0 1\n/dev/disk/by-uuid/AB12-34CD /boot/efi vfat x 0 1\n",
    "boot/efi": None,
    "boot/grub/grub.cfg": "\tlinux\t/boot/vmlinuz-6.8.0-31-generic root=UUID=4003 ro  \n",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT=""\nGRUB_CMDLINE_LINUX=""\n',
    "etc/initramfs-tools/modules": "# none\n",
    "etc/cloud/cloud.cfg": "datasource_list: [VMware]\n",
    "etc/netplan/50-cloud-init.yaml": (
        "network:\n  version: 2\n  ethernets:\n    ens192:\n      addresses: [192.0.2.7/24]\n"
    ),
    "usr/lib/systemd/system/open-vm-tools.service": "[Install]\nWantedBy=multi-user.target\n",
    "etc/systemd/system/multi-user.target.wants/open-vm-tools.service": Link(
        "/usr/lib/systemd/system/open-vm-tools.service"
    ),
}
UBUNTU_ESP: dict[str, Content] = {
    "EFI/ubuntu/shimx64.efi": b"MZ shim",
    "EFI/ubuntu/grubx64.efi": b"MZ grub",
    "EFI/ubuntu/grub.cfg": b"search.fs_uuid 4003 root\n",
}
ROCKY: dict[str, Content] = {
    **kernel(
        "5.14.0-427.el9.x86_64",
        "initramfs-5.14.0-427.el9.x86_64.img",
        suffix=".ko.xz",
        there={
            "usr/lib/systemd/systemd-modules-load": b"",
            "usr/lib/dracut/x": b"",
            "etc/lvm/devices/system.devices": b"IDNAME=naa.6000c29\n",
        },
    ),
    "etc/os-release": 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n',
    "etc/fstab": "/dev/mapper/rhel-root / xfs defaults 0 0\n/dev/sda2 /boot xfs defaults 0 0\n",
    "etc/dracut.conf.d": None,
    "etc/lvm/devices/system.devices": "IDTYPE=sys_wwid IDNAME=naa.6000c29 DEVNAME=/dev/sda3\n",
    "etc/NetworkManager/system-connections/ens192.nmconnection": (
        "[connection]\nid=ens192\ntype=ethernet\ninterface-name=ens192\n\n"
        "[ipv4]\naddress1=192.0.2.7/24,192.0.2.1\nmethod=manual\n"
    ),
    "etc/default/grub": 'GRUB_CMDLINE_LINUX="rd.lvm.lv=rhel/root rhgb quiet"\n',
}
ROCKY_BOOT: dict[str, Content] = {
    "vmlinuz-5.14.0-427.el9.x86_64": b"kernel",
    "initramfs-5.14.0-427.el9.x86_64.img": ROCKY.pop("boot/initramfs-5.14.0-427.el9.x86_64.img"),
    "config-5.14.0-427.el9.x86_64": "CONFIG_RD_GZIP=y\n",
    "loader/entries/1-5.14.0-427.el9.x86_64.conf": (
        "title Rocky\nversion 5.14.0-427.el9.x86_64\nlinux /vmlinuz-5.14.0-427.el9.x86_64\n"
        "initrd /initramfs-5.14.0-427.el9.x86_64.img\noptions root=/dev/mapper/rhel-root ro rhgb\n"
    ),
}
SLES: dict[str, Content] = {
    **kernel(
        "5.14.21-default",
        "initrd-5.14.21-default",
        suffix=".ko",
        there={"usr/lib/dracut/x": b"", "usr/lib/systemd/systemd-modules-load": b""},
    ),
    "etc/os-release": 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.5"\n',
    "etc/fstab": "/dev/disk/by-id/scsi-36000c29-part3  /  ext4  defaults  0  1\n",
    "boot/grub2/grub.cfg": "linux /boot/vmlinuz-5.14.21-default root=/dev/disk/by-id/scsi-36000c29-part3 quiet\n",
    "boot/grub2/device.map": "(hd0)\t/dev/disk/by-id/scsi-36000c29\n",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX=""\n',
    "etc/dracut.conf.d": None,
    "etc/sysconfig/network/ifcfg-eth0": "BOOTPROTO='static'\nIPADDR='192.0.2.7/24'\nSTARTMODE='auto'\n",
    "etc/udev/rules.d/70-persistent-net.rules": (
        f'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{{address}}=="{MAC}", NAME="eth0"\n'
    ),
}


def test_ubuntu_with_uefi_netplan_and_cloud_init() -> None:
    filesystems = {
        "sda1": MemoryFileSystem(UBUNTU_ESP, kind="vfat", uuid=UUIDS["sda1"]),
        "sda3": MemoryFileSystem(UBUNTU, uuid=UUIDS["sda3"]),
    }
    there = describe(survey(volume("sda1", "vfat"), volume("sda3", "ext4")), "sda3", filesystems)
    fixes, root = mended(there, MAC)
    assert fixes == dict.fromkeys(
        (
            "initrd-drivers",
            "network-names",
            "cloud-network",
            "uefi-fallback",
            "guest-tools",
            "serial-console",
        ),
        (),
    )
    assert root.read("boot/efi/EFI/BOOT/BOOTX64.EFI") == b"MZ shim"
    assert root.read_text("boot/grub/grub.cfg") == (
        f"\tlinux\t/boot/vmlinuz-6.8.0-31-generic root=UUID=4003 ro {CONSOLE}  \n"
    )
    assert "Name=ens192" in root.read_text("etc/systemd/network/10-jeos-ens192.link")
    assert root.names("etc/systemd/system/multi-user.target.wants") == []


def test_rocky_with_lvm_entries_and_networkmanager() -> None:
    filesystems = {
        "sda2": MemoryFileSystem(ROCKY_BOOT, kind="xfs", uuid=UUIDS["sda2"]),
        "rhel/root": MemoryFileSystem({**ROCKY, "boot": None}, kind="xfs", uuid=UUIDS["rhel/root"]),
    }
    volumes = survey(volume("sda2", "xfs"), volume("sda3", "LVM2_member"), volume("rhel/root", "xfs"))
    fixes, root = mended(describe(volumes, "rhel/root", filesystems), MAC)
    assert fixes == dict.fromkeys(("initrd-drivers", "fstab", "lvm-devices", "network-names", "serial-console"), ())
    assert root.read_text("etc/fstab") == (
        "/dev/mapper/rhel-root / xfs defaults 0 0\nUUID=b007 /boot xfs defaults 0 0\n"
    )
    entry = root.read_text("boot/loader/entries/1-5.14.0-427.el9.x86_64.conf")
    assert entry.splitlines()[-1] == f"options root=/dev/mapper/rhel-root ro rhgb {CONSOLE}"
    assert "linux /vmlinuz-5.14.0-427.el9.x86_64\n" in entry
    assert root.names("etc/lvm/devices") == []


def test_sles_with_names_by_id_and_a_rule_of_udev() -> None:
    filesystems = {"sda3": MemoryFileSystem(SLES, uuid=UUIDS["sda3"])}
    fixes, root = mended(describe(survey(volume("sda3", "ext4")), "sda3", filesystems), MAC)
    assert fixes == dict.fromkeys(("initrd-drivers", "root-device", "fstab", "serial-console"), ())
    assert root.read_text("etc/fstab") == "UUID=4003  /  ext4  defaults  0  1\n"
    assert root.read_text("boot/grub2/grub.cfg") == (
        f"linux /boot/vmlinuz-5.14.21-default root=UUID=4003 quiet {CONSOLE}\n"
    )
    assert root.names("boot/grub2") == ["grub.cfg"]
    assert 'add_drivers+=" virtio_pci virtio_blk' in root.read_text("etc/dracut.conf.d/90-jeos-drivers.conf")


@pytest.mark.parametrize("family", ["windows", "unknown"])
def test_no_fix_for_linux_touches_another_system(family: str) -> None:
    root = Root([Mounted("", MemoryFileSystem({**UBUNTU, "boot/efi": None}))])
    there = Machine(survey(), System(family=family, volume="sda3"), root)
    linux_fixes = [module for module in adapt.modules() if not module.NAME.startswith("windows-")]
    assert [module.plan(there, Options()) for module in linux_fixes] == [None] * len(linux_fixes)
