"""What the installers of each distribution really write, in its own shapes: mended, and all else as it was."""

from dataclasses import replace

from installed_systems import CONSOLE, MAC, UUIDS, describe, kernel, mended, survey, volume
from memory_filesystem import Content, Link, MemoryFileSystem

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


# RHEL 6: GRUB 1 with its map of disks, upstart, cards that udev's rule counts, no .link files and no os-release.
SANTIAGO_GRUB = """\
# grub.conf generated by anaconda
#          root (hd0,0)
#          kernel /vmlinuz-version ro root=/dev/sda3
#boot=/dev/sda
default=0
timeout=5
splashimage=(hd0,0)/grub/splash.xpm.gz
title Red Hat Enterprise Linux 6 (2.6.32-754.el6.x86_64)
\troot (hd0,0)
\tkernel /vmlinuz-2.6.32-754.el6.x86_64 ro root=%s rd_NO_LUKS rd_NO_LVM LANG=en_US.UTF-8 rhgb quiet%s
\tinitrd /initramfs-2.6.32-754.el6.x86_64.img
"""
SANTIAGO_RULE = (
    "# PCI device 0x15ad:0x07b0 (vmxnet3)\n"
    'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="%s", ATTR{type}=="1", KERNEL=="eth*", '
    'NAME="eth0"\n'
)


def test_red_hat_6_with_grub_1_and_upstart() -> None:
    """The rule of udev that gave the card its name has the machine's own address, and is enough."""
    files = kernel(
        "2.6.32-754.el6.x86_64",
        "initramfs-2.6.32-754.el6.x86_64.img",
        suffix=".ko",
        there={"sbin/dracut-lib": b"", "lib/udev/rules.d/x.rules": b""},
    )
    for name in (
        "usr/lib/systemd/systemd",
        "usr/lib/systemd/network/99-default.link",
        "boot/vmlinuz-2.6.32-754.el6.x86_64",
    ):
        del files[name]
    initrd = files.pop("boot/initramfs-2.6.32-754.el6.x86_64.img")
    files |= {
        "boot": None,
        "etc/redhat-release": "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n",
        "etc/fstab": (
            "/dev/sda3\t/\text4\tdefaults\t1 1\n/dev/sda2\t/boot\text4\tdefaults\t1 2\n"
            "/dev/sda4 swap swap defaults 0 0\n"
        ),
        "etc/inittab": "id:3:initdefault:\n",
        "sbin/agetty": b"\x7fELF",
        "etc/sysconfig/network-scripts/ifcfg-eth0": (
            f"DEVICE=eth0\nHWADDR={MAC.upper()}\nTYPE=Ethernet\nONBOOT=yes\nNM_CONTROLLED=yes\nBOOTPROTO=none\n"
            "IPADDR=192.0.2.7\nNETMASK=255.255.255.0\nGATEWAY=192.0.2.1\n"
        ),
        "etc/udev/rules.d/70-persistent-net.rules": SANTIAGO_RULE % MAC,
    }
    boot: dict[str, Content] = {
        "grub/grub.conf": SANTIAGO_GRUB % ("/dev/sda3", ""),
        "grub/menu.lst": Link("./grub.conf"),
        "grub/device.map": "# this device map was generated by anaconda\n(hd0)     /dev/sda\n",
        "vmlinuz-2.6.32-754.el6.x86_64": b"kernel",
        "initramfs-2.6.32-754.el6.x86_64.img": initrd,
        "config-2.6.32-754.el6.x86_64": "CONFIG_RD_GZIP=y\n",
    }
    filesystems = {
        "sda2": MemoryFileSystem(boot, uuid=UUIDS["sda2"]),
        "sda3": MemoryFileSystem(files, uuid=UUIDS["sda3"]),
    }
    volumes = survey(volume("sda2", "ext4"), volume("sda3", "ext4"), replace(volume("sda4", "swap"), uuid="5a4b"))
    there = describe(volumes, "sda3", filesystems)
    assert (there.system.family, there.system.version) == ("redhat", "6.10")
    fixes, root = mended(there, MAC)
    assert fixes == dict.fromkeys(("initrd-drivers", "root-device", "fstab", "serial-console"), ())
    assert root.read_text("boot/grub/grub.conf") == (SANTIAGO_GRUB % ("UUID=4003", f" {CONSOLE}"))
    assert root.names("boot/grub") == ["grub.conf", "menu.lst"]
    assert root.read_text("etc/fstab") == (
        "UUID=4003\t/\text4\tdefaults\t1 1\nUUID=b007\t/boot\text4\tdefaults\t1 2\nUUID=5a4b swap swap defaults 0 0\n"
    )
    assert root.read_text("etc/udev/rules.d/70-persistent-net.rules") == SANTIAGO_RULE % MAC


def test_fedora_on_a_subvolume_with_entries() -> None:
    entry = (
        "title Fedora Linux (6.8.5-301.fc40.x86_64) 40 (Server Edition)\nversion 6.8.5-301.fc40.x86_64\n"
        "linux /vmlinuz-6.8.5-301.fc40.x86_64\ninitrd /initramfs-6.8.5-301.fc40.x86_64.img\n"
        "options root=UUID=4003 ro rootflags=subvol=root rhgb quiet{arguments}\n"
        "grub_users $grub_users\ngrub_arg --unrestricted\ngrub_class fedora\n"
    )
    files = kernel(
        "6.8.5-301.fc40.x86_64",
        "initramfs-6.8.5-301.fc40.x86_64.img",
        suffix=".ko.xz",
        there={"usr/lib/dracut/x": b"", "usr/lib/systemd/systemd-modules-load": b""},
    )
    initrd = files.pop("boot/initramfs-6.8.5-301.fc40.x86_64.img")
    del files["boot/vmlinuz-6.8.5-301.fc40.x86_64"]
    files |= {
        "boot": None,
        "etc/os-release": Link("../usr/lib/os-release"),
        "usr/lib/os-release": 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=40\n',
        "etc/fstab": (
            "UUID=4003 /     btrfs subvol=root,compress=zstd:1 0 0\nUUID=b007 /boot ext4  defaults 1 2\n"
            "UUID=4003 /home btrfs subvol=home,compress=zstd:1 0 0\n"
        ),
        "etc/default/grub": 'GRUB_CMDLINE_LINUX="rhgb quiet"\nGRUB_ENABLE_BLSCFG=true\n',
        "etc/kernel/cmdline": "root=UUID=4003 ro rootflags=subvol=root rhgb quiet\n",
        "etc/dracut.conf.d": None,
        "etc/NetworkManager/system-connections/ens192.nmconnection": (
            "[connection]\nid=ens192\nuuid=0e0d\ntype=ethernet\ninterface-name=ens192\n\n[ethernet]\n\n"
            "[ipv4]\naddress1=192.0.2.7/24,192.0.2.1\ndns=192.0.2.53;\nmethod=manual\n\n[ipv6]\nmethod=auto\n"
        ),
    }
    boot: dict[str, Content] = {
        "loader/entries/0-6.8.5-301.fc40.x86_64.conf": entry.replace("{arguments}", ""),
        "grub2/grub.cfg": "insmod blscfg\nblscfg\n",
        "vmlinuz-6.8.5-301.fc40.x86_64": b"kernel",
        "initramfs-6.8.5-301.fc40.x86_64.img": initrd,
        "config-6.8.5-301.fc40.x86_64": "CONFIG_RD_GZIP=y\n",
    }
    filesystems = {
        "sda2": MemoryFileSystem(boot, uuid=UUIDS["sda2"]),
        "sda3": MemoryFileSystem(files, kind="btrfs", uuid=UUIDS["sda3"]),
    }
    fixes, root = mended(describe(survey(volume("sda2", "ext4"), volume("sda3", "btrfs")), "sda3", filesystems), MAC)
    assert fixes == dict.fromkeys(("initrd-drivers", "network-names", "serial-console"), ())
    assert root.read_text("boot/loader/entries/0-6.8.5-301.fc40.x86_64.conf") == entry.replace(
        "{arguments}", f" {CONSOLE}"
    )
    assert root.read_text("etc/kernel/cmdline") == f"root=UUID=4003 ro rootflags=subvol=root rhgb quiet {CONSOLE}\n"
