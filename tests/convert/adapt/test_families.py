"""Whole machines as each distribution's installer leaves them on VMware: inspected, mended, inspected again."""

import gzip
import lzma
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from jeos.convert import adapt
from jeos.convert.changed import Changed
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Disk, Survey, System, Volume
from jeos.convert.systems import Place, linux
from jeos.disk.initramfs import archive
from jeos.disk.root import Mounted, Root
from memory_filesystem import Content, Link, MemoryFileSystem

MAC = "00:50:56:aa:bb:01"
UUIDS = {"sda1": "AB12-34CD", "sda2": "b007", "rhel/root": "4007", "sda3": "4003"}
CONSOLE = "console=ttyS0,115200 console=tty0"


def volume(name: str, content: str) -> Volume:
    kind, number = ("logical", 0) if "/" in name else ("partition", int(name[3:]))
    return Volume(name, kind, 1 << 30, disk="sda", number=number, content=content, uuid=UUIDS.get(name, "x"))


def kernel(version: str, initrd: str, *, suffix: str, there: Mapping[str, bytes]) -> dict[str, Content]:
    """Return a kernel whose initrd has VMware's driver and nothing for another disk."""
    folder = f"usr/lib/modules/{version}"
    paths = {
        "virtio_pci": "virtio/virtio_pci",
        "virtio_blk": "block/virtio_blk",
        "virtio_scsi": "scsi/virtio_scsi",
        "vmw_pvscsi": "scsi/vmw_pvscsi",
    }
    pack: Callable[[bytes], bytes] = lzma.compress if suffix.endswith("xz") else bytes
    modules: dict[str, Content] = {
        f"{folder}/kernel/drivers/{path}{suffix}": pack(f"\x7fELF {name}".encode()) for name, path in paths.items()
    }
    packed = gzip.compress(archive({f"{folder}/kernel/drivers/scsi/vmw_pvscsi{suffix}": b"\x7fELF", **there}))
    return {
        **modules,
        f"{folder}/modules.dep": "".join(f"kernel/drivers/{path}{suffix}:\n" for path in paths.values()),
        f"{folder}/modules.alias": "alias virtio:d00000002v* virtio_blk\n",
        f"{folder}/modules.builtin": "kernel/drivers/scsi/sd_mod.ko\n",
        f"boot/vmlinuz-{version}": b"kernel",
        f"boot/config-{version}": "CONFIG_RD_GZIP=y\n",
        f"boot/{initrd}": packed,
        "lib": Link("usr/lib"),
        "usr/lib/systemd/systemd": b"\x7fELF",
        "usr/lib/systemd/network/99-default.link": "[Link]\n",
    }


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


def describe(survey: Survey, root: str, systems: Mapping[str, MemoryFileSystem]) -> Machine:
    place = Place(survey=survey, filesystems=systems, mounted=Mounted("", systems[root], volume=root))
    system, files = linux.describe(place)
    return Machine(survey, system, files)


def survey(*volumes: Volume) -> Survey:
    return Survey((Disk("sda", 1 << 34, table="gpt"),), volumes)


def mended(machine: Machine, *macs: str) -> tuple[dict[str, tuple[str, ...]], Root]:
    """Return the names of the fixes with what they cannot, and the files after them, which need no more of them."""
    fixes = adapt.plan(machine, Options(macs=macs))
    root = Changed(machine.root, [change for fix in fixes for change in fix.changes])
    assert adapt.plan(Machine(machine.survey, machine.system, root), Options(macs=macs)) == ()
    return {fix.name: fix.cannot for fix in fixes}, root


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


# What update-grub writes on Ubuntu with the installer's LVM: /boot is apart, and the root has a name of device mapper.
JAMMY_GRUB = """\
set linux_gfx_mode=auto
export linux_gfx_mode
menuentry 'Ubuntu' --class ubuntu --class gnu-linux $menuentry_id_option 'gnulinux-simple-4001' {
\trecordfail
\tload_video
\tgfxmode $linux_gfx_mode
\tinsmod gzio
\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
\tinsmod part_gpt
\tinsmod ext2
\tsearch --no-floppy --fs-uuid --set=root b007
\tlinux\t/vmlinuz-5.15.0-91-generic root=/dev/mapper/ubuntu--vg-ubuntu--lv ro{arguments}
\tinitrd\t/initrd.img-5.15.0-91-generic
}
submenu 'Advanced options for Ubuntu' $menuentry_id_option 'gnulinux-advanced-4001' {
\tmenuentry 'Ubuntu, with Linux 5.15.0-91-generic (recovery mode)' --class ubuntu {
\t\tlinux\t/vmlinuz-5.15.0-91-generic root=/dev/mapper/ubuntu--vg-ubuntu--lv ro recovery nomodeset{arguments}
\t\tinitrd\t/initrd.img-5.15.0-91-generic
\t}
}
"""
JAMMY: dict[str, Content] = {
    **kernel("5.15.0-91-generic", "initrd.img-5.15.0-91-generic", suffix=".ko", there={"scripts/init-top/udev": b""}),
    "etc/os-release": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n',
    "etc/fstab": (
        "# <file system> <mount point>   <type>  <options>       <dump>  <pass>\n"
        "# / was on /dev/ubuntu-vg/ubuntu-lv during curtin installation\n"
        f"/dev/disk/by-id/dm-uuid-LVM-{'G' * 32}{'V' * 32} / ext4 defaults 0 1\n"
        "# /boot was on /dev/sda2 during curtin installation\n"
        "/dev/disk/by-uuid/b007 /boot ext4 defaults 0 1\n"
        "/swap.img\tnone\tswap\tsw\t0\t0\n"
    ),
    "etc/default/grub": (
        "GRUB_DEFAULT=0\nGRUB_TIMEOUT_STYLE=hidden\nGRUB_TIMEOUT=0\n"
        "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
        'GRUB_CMDLINE_LINUX_DEFAULT=""\nGRUB_CMDLINE_LINUX=""\n'
    ),
    "etc/initramfs-tools/modules": "# List of modules that you want to include in your initramfs.\n",
    "etc/netplan/00-installer-config.yaml": (
        "# This is the network config written by 'subiquity'\n"
        "network:\n  ethernets:\n    ens160:\n      addresses:\n      - 192.0.2.7/24\n      nameservers:\n"
        "        addresses: [192.0.2.53]\n        search: []\n"
        "      routes:\n      - to: default\n        via: 192.0.2.1\n"
        "    ens192:\n      dhcp4: true\n  version: 2\n"
    ),
}
JAMMY_BOOT: dict[str, Content] = {
    "grub/grub.cfg": JAMMY_GRUB.replace("{arguments}", ""),
    **{name: JAMMY.pop(f"boot/{name}") for name in ("vmlinuz-5.15.0-91-generic", "initrd.img-5.15.0-91-generic")},
    "config-5.15.0-91-generic": "CONFIG_RD_GZIP=y\n",
}


def test_ubuntu_with_lvm_and_two_cards() -> None:
    """The one that has DHCP keeps no name; cards count as VMware numbers its slots, not as the names do."""
    filesystems = {
        "sda2": MemoryFileSystem(JAMMY_BOOT, kind="ext4", uuid=UUIDS["sda2"]),
        "ubuntu-vg/ubuntu-lv": MemoryFileSystem({**JAMMY, "boot": None}, uuid="4001"),
    }
    logical = replace(volume("ubuntu-vg/ubuntu-lv", "ext4"), id="VVVVVV-VVVV-VVVV-VVVV-VVVV-VVVV-VVVVVV")
    volumes = survey(volume("sda2", "ext4"), volume("sda3", "LVM2_member"), logical)
    there = describe(volumes, "ubuntu-vg/ubuntu-lv", filesystems)
    assert [mount.volume for mount in there.system.mounts] == ["ubuntu-vg/ubuntu-lv", "sda2", ""]
    fixes, root = mended(there, MAC, "00:50:56:aa:bb:02")
    assert fixes == dict.fromkeys(("initrd-drivers", "network-names", "serial-console"), ())
    assert root.read_text("boot/grub/grub.cfg") == JAMMY_GRUB.replace("{arguments}", f" {CONSOLE}")
    assert root.read_text("etc/fstab") == JAMMY["etc/fstab"]
    pinned = {name: root.read_text(f"etc/systemd/network/{name}") for name in root.names("etc/systemd/network")}
    assert {name: text.split("MACAddress=")[1].split()[0] for name, text in pinned.items()} == {
        "10-jeos-ens160.link": MAC,
        "10-jeos-ens192.link": "00:50:56:aa:bb:02",
    }


# RHEL 7: no entries, a line of linux16 for each kernel, a rescue kernel; Anaconda ties the interface to the card.
MAIPO_GRUB = """\
if [ -s $prefix/grubenv ]; then
  load_env
fi
menuentry 'Red Hat Enterprise Linux Server (3.10.0-1160.el7.x86_64) 7.9 (Maipo)' --class red --unrestricted {
\tload_video
\tset gfxpayload=keep
\tinsmod part_msdos
\tinsmod xfs
\tset root='hd0,msdos1'
\tlinux16 /vmlinuz-3.10.0-1160.el7.x86_64 root={root} ro crashkernel=auto rhgb quiet LANG=en_US.UTF-8{arguments}
\tinitrd16 /initramfs-3.10.0-1160.el7.x86_64.img
}
"""
MAIPO: dict[str, Content] = {
    **kernel(
        "3.10.0-1160.el7.x86_64",
        "initramfs-3.10.0-1160.el7.x86_64.img",
        suffix=".ko.xz",
        there={"usr/lib/systemd/systemd-modules-load": b"", "usr/lib/dracut/x": b""},
    ),
    "etc/os-release": 'NAME="Red Hat Enterprise Linux Server"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="7.9"\n',
    "etc/fstab": "/dev/sda3 / xfs defaults 0 0\n/dev/sda2 /boot xfs defaults 0 0\n",
    "etc/default/grub": (
        "GRUB_TIMEOUT=5\nGRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/system-release)\"\nGRUB_DEFAULT=saved\n"
        'GRUB_DISABLE_SUBMENU=true\nGRUB_CMDLINE_LINUX="crashkernel=auto rhgb quiet"\nGRUB_DISABLE_RECOVERY="true"\n'
    ),
    "etc/dracut.conf.d": None,
    "etc/sysconfig/network-scripts/ifcfg-ens192": (
        "TYPE=Ethernet\nPROXY_METHOD=none\nBOOTPROTO=none\nDEFROUTE=yes\nNAME=ens192\nDEVICE=ens192\nONBOOT=yes\n"
        "HWADDR=00:50:56:99:99:99\nIPADDR=192.0.2.7\nPREFIX=24\nGATEWAY=192.0.2.1\nDNS1=192.0.2.53\n"
    ),
}
MAIPO_BOOT: dict[str, Content] = {
    "grub2/grub.cfg": MAIPO_GRUB.replace("{root}", "/dev/sda3").replace("{arguments}", ""),
    "vmlinuz-3.10.0-1160.el7.x86_64": b"kernel",
    "initramfs-3.10.0-1160.el7.x86_64.img": MAIPO.pop("boot/initramfs-3.10.0-1160.el7.x86_64.img"),
    "config-3.10.0-1160.el7.x86_64": "CONFIG_RD_GZIP=y\n",
}


def test_red_hat_7_with_an_address_of_another_card() -> None:
    filesystems = {
        "sda2": MemoryFileSystem(MAIPO_BOOT, kind="xfs", uuid=UUIDS["sda2"]),
        "sda3": MemoryFileSystem({**MAIPO, "boot": None}, kind="xfs", uuid=UUIDS["sda3"]),
    }
    there = describe(survey(volume("sda2", "xfs"), volume("sda3", "xfs")), "sda3", filesystems)
    fixes, root = mended(there, MAC)
    assert fixes == dict.fromkeys(("initrd-drivers", "root-device", "fstab", "network-names", "serial-console"), ())
    expected = MAIPO_GRUB.replace("{root}", "UUID=4003").replace("{arguments}", f" {CONSOLE}")
    assert root.read_text("boot/grub2/grub.cfg") == expected
    assert root.read_text("etc/fstab") == "UUID=4003 / xfs defaults 0 0\nUUID=b007 /boot xfs defaults 0 0\n"
    assert f"HWADDR={MAC.upper()}\nIPADDR=192.0.2.7\n" in root.read_text("etc/sysconfig/network-scripts/ifcfg-ens192")
    assert f'GRUB_CMDLINE_LINUX="crashkernel=auto rhgb quiet {CONSOLE}"\n' in root.read_text("etc/default/grub")


# RHEL 8: the entries take their arguments from GRUB's environment block.
OOTPA_OPTIONS = "root=/dev/sda3 ro crashkernel=auto resume=/dev/sda4 rhgb quiet"
OOTPA_ENTRY = (
    "title Red Hat Enterprise Linux (4.18.0-513.el8.x86_64) 8.9 (Ootpa)\nversion 4.18.0-513.el8.x86_64\n"
    "linux /vmlinuz-4.18.0-513.el8.x86_64\ninitrd /initramfs-4.18.0-513.el8.x86_64.img $tuned_initrd\n"
    "options $kernelopts $tuned_params\nid rhel-20231018-4.18.0-513.el8.x86_64\ngrub_users $grub_users\n"
    "grub_arg --unrestricted\ngrub_class kernel\n"
)
OOTPA_GRUB = """\
insmod part_gpt
insmod xfs
search --no-floppy --fs-uuid --set=boot b007
if [ -z "${kernelopts}" ]; then
  set kernelopts="%s"
fi
insmod blscfg
blscfg
"""
OOTPA: dict[str, Content] = {
    **kernel(
        "4.18.0-513.el8.x86_64",
        "initramfs-4.18.0-513.el8.x86_64.img",
        suffix=".ko.xz",
        there={"usr/lib/systemd/systemd-modules-load": b"", "usr/lib/dracut/x": b""},
    ),
    "etc/os-release": 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.9"\n',
    "etc/fstab": "UUID=4003 / xfs defaults 0 0\nUUID=b007 /boot xfs defaults 0 0\n/dev/sda4 none swap defaults 0 0\n",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX="crashkernel=auto resume=/dev/sda4 rhgb quiet"\nGRUB_ENABLE_BLSCFG=true\n',
    "etc/dracut.conf.d": None,
    "etc/sysconfig/network-scripts/ifcfg-ens192": "BOOTPROTO=dhcp\nDEVICE=ens192\nONBOOT=yes\n",
}
OOTPA_BOOT: dict[str, Content] = {
    "grub2/grub.cfg": OOTPA_GRUB % OOTPA_OPTIONS,
    "grub2/grubenv": f"# GRUB Environment Block\nsaved_entry=x\nkernelopts={OOTPA_OPTIONS} \nboot_success=0\n".ljust(
        1024, "#"
    ),
    "loader/entries/x-4.18.0-513.el8.x86_64.conf": OOTPA_ENTRY,
    "vmlinuz-4.18.0-513.el8.x86_64": b"kernel",
    "initramfs-4.18.0-513.el8.x86_64.img": OOTPA.pop("boot/initramfs-4.18.0-513.el8.x86_64.img"),
    "config-4.18.0-513.el8.x86_64": "CONFIG_RD_GZIP=y\n",
}


def test_red_hat_8_with_its_arguments_in_the_environment_block() -> None:
    filesystems = {
        "sda2": MemoryFileSystem(OOTPA_BOOT, kind="xfs", uuid=UUIDS["sda2"]),
        "sda3": MemoryFileSystem({**OOTPA, "boot": None}, kind="xfs", uuid=UUIDS["sda3"]),
    }
    volumes = survey(volume("sda2", "xfs"), volume("sda3", "xfs"), replace(volume("sda4", "swap"), uuid="5a4b"))
    fixes, root = mended(describe(volumes, "sda3", filesystems), MAC)
    assert fixes == dict.fromkeys(("initrd-drivers", "root-device", "fstab", "network-names", "serial-console"), ())
    options = f"root=UUID=4003 ro crashkernel=auto resume=UUID=5a4b rhgb quiet {CONSOLE}"
    block = root.read("boot/grub2/grubenv")
    assert len(block) == 1024 and block.rstrip(b"#").decode().splitlines() == [
        *("# GRUB Environment Block", "saved_entry=x"),
        *(f"kernelopts={options} ", "boot_success=0"),
    ]
    assert root.read_text("boot/grub2/grub.cfg") == OOTPA_GRUB % options
    assert root.read_text("boot/loader/entries/x-4.18.0-513.el8.x86_64.conf") == OOTPA_ENTRY
    assert root.read_text("etc/default/grub").startswith(
        f'GRUB_CMDLINE_LINUX="crashkernel=auto resume=UUID=5a4b rhgb quiet {CONSOLE}"\n'
    )
    assert "UUID=5a4b none swap defaults 0 0\n" in root.read_text("etc/fstab")


# SLES 15 on btrfs: the root is a snapshot, GRUB's paths are relative to it, wicked reads ifcfg files.
SLE15_GRUB = """\
set btrfs_relative_path="y"
export btrfs_relative_path
menuentry 'SLES 15-SP5'  --hotkey=1 --class sles --class gnu-linux $menuentry_id_option 'gnulinux-simple-4003' {
\tload_video
\tset gfxpayload=keep
\tinsmod gzio
\tinsmod part_gpt
\tinsmod btrfs
\techo\t'Loading Linux 5.14.21-150500.53-default ...'
\tlinux\t/boot/vmlinuz-5.14.21-150500.53-default root=%s  splash=silent mitigations=auto quiet%s
\techo\t'Loading initial ramdisk ...'
\tinitrd\t/boot/initrd-5.14.21-150500.53-default
}
"""


def test_sles_on_a_snapshot_of_btrfs() -> None:
    by_path = "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part3"
    files: dict[str, Content] = {
        **kernel(
            "5.14.21-150500.53-default",
            "initrd-5.14.21-150500.53-default",
            suffix=".ko",
            there={"usr/lib/dracut/x": b"", "usr/lib/systemd/systemd-modules-load": b""},
        ),
        "etc/os-release": 'NAME="SLES"\nVERSION="15-SP5"\nID="sles"\nID_LIKE="suse"\nVERSION_ID="15.5"\n',
        "etc/fstab": (
            f"{by_path}  /                       btrfs  defaults                      0  0\n"
            f"{by_path}  /var                    btrfs  subvol=/@/var                 0  0\n"
            f"{by_path}  /.snapshots             btrfs  subvol=/@/.snapshots          0  0\n"
        ),
        "boot/grub2/grub.cfg": SLE15_GRUB % (by_path, ""),
        "etc/default/grub": (
            'GRUB_DISTRIBUTOR="SLES"\nGRUB_CMDLINE_LINUX_DEFAULT="splash=silent mitigations=auto quiet"\n'
            'GRUB_CMDLINE_LINUX=""\nSUSE_BTRFS_SNAPSHOT_BOOTING="true"\nGRUB_DISABLE_LINUX_UUID=true\n'
        ),
        "etc/dracut.conf.d": None,
        "etc/sysconfig/network/ifcfg-eth0": (
            "IPADDR='192.0.2.7/24'\nBOOTPROTO='static'\nSTARTMODE='auto'\nZONE=public\n"
        ),
        "etc/sysconfig/network/routes": "default 192.0.2.1 - -\n",
    }
    there = MemoryFileSystem(files, kind="btrfs", uuid=UUIDS["sda3"])
    fixes, root = mended(describe(survey(volume("sda3", "btrfs")), "sda3", {"sda3": there}), MAC)
    assert fixes == dict.fromkeys(("initrd-drivers", "root-device", "fstab", "network-names", "serial-console"), ())
    assert root.read_text("boot/grub2/grub.cfg") == SLE15_GRUB % ("UUID=4003", f" {CONSOLE}")
    assert root.read_text("etc/fstab").splitlines() == [
        "UUID=4003  /                       btrfs  defaults                      0  0",
        "UUID=4003  /var                    btrfs  subvol=/@/var                 0  0",
        "UUID=4003  /.snapshots             btrfs  subvol=/@/.snapshots          0  0",
    ]
    assert "GRUB_DISABLE_LINUX_UUID=false\n" in root.read_text("etc/default/grub")
    assert f"MACAddress={MAC}" in root.read_text("etc/systemd/network/10-jeos-eth0.link")


@pytest.mark.parametrize("family", ["windows", "unknown"])
def test_no_fix_for_linux_touches_another_system(family: str) -> None:
    root = Root([Mounted("", MemoryFileSystem({**UBUNTU, "boot/efi": None}))])
    there = Machine(survey(), System(family=family, volume="sda3"), root)
    linux_fixes = [module for module in adapt.modules() if not module.NAME.startswith("windows-")]
    assert [module.plan(there, Options()) for module in linux_fixes] == [None] * len(linux_fixes)
