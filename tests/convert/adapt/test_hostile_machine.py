"""Machines made to hurt whoever reads them: every fix ends, and says something or nothing.

Texts are 64 KiB of what makes a careless pattern go over the rest of the file again for each character: with one such
pattern these tests take minutes in place of seconds.
"""

import pytest

from jeos.convert import adapt
from jeos.convert.cards import cards
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Disk, Initrd, Interface, Kernel, Pin, Survey, System, Volume
from jeos.disk.initramfs import archive
from memory_filesystem import Content, Link, memory_root

SIZE = 1 << 16
TEXTS = (
    "etc/fstab",
    "etc/crypttab",
    "etc/default/grub",
    "etc/kernel/cmdline",
    "etc/inittab",
    "etc/lvm/lvm.conf",
    "etc/cloud/cloud.cfg",
    "etc/initramfs-tools/conf.d/resume",
    "etc/netplan/a.yaml",
    "etc/sysconfig/network-scripts/ifcfg-ens192",
    "boot/grub/grub.cfg",
    "boot/loader/entries/a.conf",
    "boot/extlinux/extlinux.conf",
    "lib/systemd/system/qemu-guest-agent.service",
    "lib/modules/1/modules.dep",
    "lib/modules/1/modules.alias",
)
STARTS = (
    "",
    "options",
    "append ",
    "linux /v ",
    'GRUB_CMDLINE_LINUX="',
    'set kernelopts="',
    "network:",
    "root",
    "HWADDR",
)
FILLINGS = (
    " ",
    "\n",
    "\t",
    "a ",
    "filter=[",
    "root=/dev/",
    "network:",
    "HWADDR=",
    "RESUME=",
    "linux ",
    "-part1",
    "a:\n",
)


def machine(files: dict[str, Content]) -> Machine:
    interfaces = (
        Interface("ens192", "netplan", "etc/netplan/a.yaml", mac="00:50:56:00:00:01", addresses=("192.0.2.1/24",)),
        Interface("eth9", "ifcfg-redhat", "etc/sysconfig/network-scripts/ifcfg-ens192", mac="00:50:56:00:00:02"),
    )
    kernel = Kernel("1", "boot/vmlinuz", modules="lib/modules/1", initrd=Initrd("boot/initrd", 1))
    system = System(family="debian", volume="sda1", interfaces=interfaces, kernels=(kernel,))
    volume = Volume("sda1", "partition", 1 << 30, disk="sda", number=1, content="ext4", uuid="1")
    survey = Survey((Disk("sda", 1 << 30, table="dos", uuid="1"),), (volume,))
    return Machine(survey, system, memory_root({"boot/initrd": archive({"init": b"x"}), **files}))


@pytest.mark.parametrize("filling", FILLINGS)
def test_texts_that_repeat_something_are_read_in_bounded_time(filling: str) -> None:
    for start in STARTS:
        text = (start + filling * (SIZE // len(filling)))[:SIZE]
        for fix in adapt.plan(machine(dict.fromkeys(TEXTS, text)), Options(macs=("00:50:56:00:00:01",))):
            assert fix.changes or fix.cannot


def test_aliases_that_nest_do_not_exhaust_the_stack() -> None:
    files: dict[str, Content] = {
        "lib/modules/1/modules.dep": "kernel/virtio_blk.ko:\n",
        "lib/modules/1/kernel/virtio_blk.ko": b"\x7fELF",
        "lib/modules/1/modules.alias": "".join(f"alias {'a' * length} virtio_blk\n" for length in range(1, 3000)),
    }
    assert "initrd-drivers" in [fix.name for fix in adapt.plan(machine(files), Options())]


def test_numbers_without_end_and_links_in_circles_are_no_devices() -> None:
    files: dict[str, Content] = {
        "etc/fstab": f"/dev/sda{'9' * 5000} / ext4 x 0 0\n/dev/nvme{'1' * 5000}n1p1 /a ext4 x 0 0\n",
        "boot/grub": Link("grub2"),
        "boot/grub2": Link("grub"),
        "etc/systemd/system": Link("system"),
    }
    (fstab,) = [fix for fix in adapt.plan(machine(files), Options()) if fix.name == "fstab"]
    assert (fstab.changes, len(fstab.cannot)) == ((), 2)


def test_names_of_interfaces_are_names_and_no_paths() -> None:
    mac = "00:50:56:00:00:01"
    names = ("../../../etc/x", "a\n[Link]", "ens192", "x" * 16, "a b")
    system = System(
        family="debian",
        volume="sda1",
        interfaces=tuple(Interface(name, "networkd", "x", mac=mac) for name in names),
        pins=(Pin("eth0", "not a mac\n", "x"),),
    )
    assert [card.name for card in cards(system, macs=(mac,))] == ["ens192"]
