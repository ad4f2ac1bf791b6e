"""Names that stay with their cards: every way of configuring, old and new udev, initrds that name cards first."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from jeos.convert.adapt import network_names
from jeos.convert.changed import Changed
from jeos.convert.changes import Append, Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Boot, Initrd, Interface, Kernel, Survey, System
from jeos.disk.initramfs import archive
from memory_filesystem import Content, Link, memory_root

MAC = "00:50:56:aa:bb:01"
PREDICTS: dict[str, Content] = {"usr/lib/systemd/network/99-default.link": "[Link]\nNamePolicy=slot path\n"}
LINK = b"""\
# The name that this machine's configuration has for the card; written by jeos convert.
[Match]
MACAddress=00:50:56:aa:bb:01
Path=*

[Link]
Name=ens192
"""
PATH = "etc/systemd/network/10-jeos-ens192.link"
NETPLAN = (
    "network:\n  ethernets:\n    ens192:\n      match:\n        driver: vmxnet3\n      addresses: [192.0.2.7/24]\n"
)


def interface(manager: str, path: str, *, name: str = "ens192", mac: str = "") -> Interface:
    return Interface(name=name, manager=manager, path=path, mac=mac, addresses=("192.0.2.7/24",))


def machine(files: Mapping[str, Content], *interfaces: Interface, **more: object) -> Machine:
    system = replace(System(family="debian", volume="sda1", interfaces=interfaces), **more)  # type: ignore[arg-type]
    return Machine(Survey((), ()), system, memory_root(files))


@pytest.mark.parametrize(
    ("manager", "path"),
    [
        ("ifupdown", "etc/network/interfaces"),
        ("netplan", "etc/netplan/50-cloud-init.yaml"),
        ("networkmanager", "etc/NetworkManager/system-connections/ens192.nmconnection"),
        ("networkd", "etc/systemd/network/10-lan.network"),
        ("ifcfg-redhat", "etc/sysconfig/network-scripts/ifcfg-ens192"),
        ("ifcfg-suse", "etc/sysconfig/network/ifcfg-ens192"),
    ],
)
def test_a_name_is_tied_to_the_card_whoever_configures_it(manager: str, path: str) -> None:
    there = machine({**PREDICTS, path: "ens192"}, interface(manager, path))
    fix = network_names.plan(there, Options(macs=(MAC,)))
    assert fix == Fix(
        "network-names",
        "network interfaces keep their names",
        changes=(Write(PATH, LINK),),
        notes=(f"/{PATH}: ens192 is the card with the address {MAC}, as the machine's description says",),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert network_names.plan(after, Options(macs=(MAC,))) is None


def test_an_invented_address_is_said() -> None:
    fix = network_names.plan(machine(PREDICTS, interface("ifupdown", "etc/network/interfaces")), Options())
    assert fix is not None
    assert len(fix.notes) == 1
    assert "which is invented: give the new machine's card this address" in fix.notes[0]


def test_an_initrd_that_finds_the_card_gets_the_name_too() -> None:
    initrd = Initrd(path="boot/initrd", size=1, modules=("virtio_net",))
    kernel = Kernel(version="6.1", path="boot/vmlinuz", initrd=initrd)
    files: dict[str, Content] = {**PREDICTS, "boot/initrd": archive({"init": b"x"}), "etc/network/interfaces": "x"}
    there = machine(files, interface("ifupdown", "etc/network/interfaces"), kernels=(kernel,))
    fix = network_names.plan(there, Options(macs=(MAC,)))
    assert fix is not None
    assert fix.changes == (Write(PATH, LINK), Append("boot/initrd", archive({PATH: LINK}), align=4))
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert network_names.plan(after, Options(macs=(MAC,))) is None


@pytest.mark.parametrize(
    "files",
    [
        {"etc/network/interfaces": "eth0"},
        {**PREDICTS, "etc/default/grub": 'GRUB_CMDLINE_LINUX="net.ifnames=0 biosdevname=0"\n'},
        {**PREDICTS, "etc/udev/rules.d/80-net-setup-link.rules": Link("/dev/null")},
        {**PREDICTS, "etc/systemd/network/99-default.link": ""},
    ],
)
def test_names_that_the_kernel_counts_stay_as_they_are_unless_asked(files: dict[str, Content]) -> None:
    there = machine(files, interface("ifupdown", "etc/network/interfaces", name="eth0"))
    assert network_names.plan(there, Options(macs=(MAC,))) is None
    fix = network_names.plan(there, Options(macs=(MAC,), keep_network=True))
    assert fix is not None
    predicted = "usr/lib/systemd/network/99-default.link" in files
    written = "etc/systemd/network/10-jeos-eth0.link" if predicted else "etc/udev/rules.d/70-persistent-net.rules"
    assert [change.path for change in fix.changes] == [written]
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert network_names.plan(after, Options(macs=(MAC,), keep_network=True)) is None


def test_an_old_udev_gets_a_rule_behind_those_that_are_there() -> None:
    rules = "# mine"
    files: dict[str, Content] = {"etc/udev/rules.d/70-persistent-net.rules": rules}
    there = machine(files, interface("ifcfg-redhat", "etc/sysconfig/network-scripts/ifcfg-em1", name="em1"))
    fix = network_names.plan(there, Options(macs=(MAC,)))
    assert fix is not None
    rule = f'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{{address}}=="{MAC}", ATTR{{type}}=="1", NAME="em1"\n'
    assert fix.changes == (Write("etc/udev/rules.d/70-persistent-net.rules", f"# mine\n{rule}".encode()),)


def test_a_hwaddr_of_another_machine_is_replaced() -> None:
    path = "etc/sysconfig/network-scripts/ifcfg-ens192"
    before = 'DEVICE=ens192\n# HWADDR=1\nHWADDR="00:0C:29:00:00:01"\nIPADDR=192.0.2.7\n'
    there = machine({**PREDICTS, path: before}, interface("ifcfg-redhat", path, mac="00:0c:29:00:00:01"))
    fix = network_names.plan(there, Options(macs=(MAC,)))
    assert fix is not None
    after = before.replace("00:0C:29:00:00:01", MAC.upper()).encode()
    assert fix.changes == (Write(PATH, LINK), Write(path, after))
    same = network_names.plan(there, Options(macs=("00:0c:29:00:00:01",)))
    assert same is not None
    assert [change.path for change in same.changes] == [PATH]


def test_what_no_name_can_mend_is_said() -> None:
    path = "etc/netplan/50.yaml"
    there = machine(
        {**PREDICTS, path: NETPLAN, "etc/n.nmconnection": "x"},
        interface("netplan", path),
        interface("networkmanager", "etc/n.nmconnection", name="ens224", mac="00:0c:29:00:00:09"),
    )
    fix = network_names.plan(there, Options(macs=(MAC,)))
    assert fix is not None
    assert fix.cannot == (
        f"/{path}: 'driver: vmxnet3' fits the old home's card only; match by name instead",
        "/etc/n.nmconnection: ens224 has an address, but the machine has no card left for it",
        "/etc/n.nmconnection: ens224 is tied to 00:0c:29:00:00:09, which none of the machine's cards has",
    )


def test_the_command_line_of_an_entry_may_say_that_the_kernel_counts() -> None:
    entry = "boot/loader/entries/a.conf"
    files: dict[str, Content] = {**PREDICTS, entry: "options root=UUID=1 net.ifnames=0\n"}
    eth0 = interface("ifcfg-suse", "etc/sysconfig/network/ifcfg-eth0", name="eth0")
    assert network_names.plan(machine(files, eth0, boot=Boot(entries=(entry,))), Options(macs=(MAC,))) is None
    assert network_names.plan(machine(files, eth0, family="windows"), Options(macs=(MAC,))) is None
