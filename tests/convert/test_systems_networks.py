"""Network configurations of every kind, as the distributions' own installers write them."""

import pytest

from jeos.convert.survey import Interface, Pin
from jeos.convert.systems import networks
from jeos.convert.systems.ini import Section, sections
from memory_filesystem import Content, memory_root

MAC = "00:50:56:aa:bb:01"


def found(files: dict[str, Content]) -> tuple[tuple[Interface, ...], list[str]]:
    root = memory_root(files)
    notes: list[str] = []
    return networks.interfaces(root, networks.pins(root), notes=notes), notes


def test_ifupdown_with_included_files_and_several_stanzas() -> None:
    interfaces = """\
# the loopback
source /etc/network/interfaces.d/*
auto lo
iface lo inet loopback

allow-hotplug ens192
iface ens192 inet static
    address 192.0.2.7
    netmask 255.255.255.0
    gateway 192.0.2.1
    hwaddress ether 00:50:56:AA:BB:01
iface ens192 inet6 static
    address 2001:db8::7/64
    gateway 2001:db8::1
iface ens192:1 inet static
    address 192.0.2.8/24
"""
    assert found(
        {
            "etc/network/interfaces": interfaces,
            "etc/network/interfaces.d/other": "auto eth1\niface eth1 inet dhcp\n",
            "etc/network/interfaces.d/self": "source /etc/network/interfaces.d/self\n",
        }
    ) == (
        (
            Interface("eth1", "ifupdown", "etc/network/interfaces.d/other", dhcp=True),
            Interface(
                "ens192",
                "ifupdown",
                "etc/network/interfaces",
                mac=MAC,
                addresses=("192.0.2.7/24", "2001:db8::7/64", "192.0.2.8/24"),
                gateways=("192.0.2.1", "2001:db8::1"),
            ),
        ),
        [],
    )


def test_netplan_with_files_that_change_each_other() -> None:
    installer = """\
network:
  version: 2
  ethernets:
    ens160:
      addresses: [192.0.2.9/24, "2001:db8::9/64"]
      routes:
        - {to: default, via: 192.0.2.1}
        - to: 198.51.100.0/24
          via: 192.0.2.2
      nameservers: {addresses: [192.0.2.53]}
    lan:
      match: {macaddress: "00:50:56:AA:BB:01"}
      set-name: lan0
      dhcp4: true
"""
    override = """\
network:
  ethernets:
    lan:
      dhcp4: no
      addresses:
        - 203.0.113.4/28:
            label: x
"""
    assert found({"etc/netplan/50-installer.yaml": installer, "etc/netplan/99-mine.yaml": override}) == (
        (
            Interface(
                "ens160",
                "netplan",
                "etc/netplan/50-installer.yaml",
                addresses=("192.0.2.9/24", "2001:db8::9/64"),
                gateways=("192.0.2.1",),
            ),
            Interface("lan0", "netplan", "etc/netplan/99-mine.yaml", mac=MAC, addresses=("203.0.113.4/28",)),
        ),
        [],
    )


@pytest.mark.parametrize("text", ["a: [", "network: {ethernets: [1, 2]}", "- 1", "", "[" * 5000, "&a [*a]", "\0"])
def test_netplan_that_is_none_is_said_or_nothing(text: str) -> None:
    interfaces, notes = found({"etc/netplan/x.yaml": text})
    assert interfaces == () and all(note.startswith("network: /etc/netplan/x.yaml") for note in notes)


def test_networkmanager_keyfiles() -> None:
    static = """\
[connection]
id=lan
type=ethernet
interface-name=ens192
[ethernet]
mac-address=00:50:56:AA:BB:01
[ipv4]
address1=192.0.2.7/24,192.0.2.1
address2=192.0.2.8/24
dns=192.0.2.53;
method=manual
[ipv6]
method=auto
"""
    any_card = "[connection]\ntype=ethernet\n[ipv4]\nmethod=auto\n"
    assert found(
        {
            "etc/NetworkManager/system-connections/lan.nmconnection": static,
            "etc/NetworkManager/system-connections/any": any_card,
            "etc/NetworkManager/system-connections/wlan": "[connection]\ntype=wifi\n",
        }
    ) == (
        (
            Interface("", "networkmanager", "etc/NetworkManager/system-connections/any", dhcp=True),
            Interface(
                "ens192",
                "networkmanager",
                "etc/NetworkManager/system-connections/lan.nmconnection",
                mac=MAC,
                addresses=("192.0.2.7/24", "192.0.2.8/24"),
                gateways=("192.0.2.1",),
                dhcp=True,
            ),
        ),
        [],
    )


def test_networkd_files_of_the_administrator() -> None:
    network = (
        "[Match]\nName=ens192\n[Network]\nAddress=192.0.2.7/24\nGateway=192.0.2.1\n[Address]\nAddress=192.0.2.8/24\n"
    )
    by_mac = f"[Match]\nMACAddress={MAC.upper()}\n[Network]\nDHCP=ipv4\n"
    files: dict[str, Content] = {
        "etc/systemd/network/10-lan.network": network,
        "etc/systemd/network/20.network": by_mac,
        "usr/lib/systemd/network/80-container-host0.network": "[Match]\nName=host0\n[Network]\nDHCP=yes\n",
        "etc/systemd/network/30.network": "[Match]\nType=ether\n[Network]\nDHCP=yes\n",
    }
    assert found(files)[0] == (
        Interface(
            "ens192",
            "networkd",
            "etc/systemd/network/10-lan.network",
            addresses=("192.0.2.7/24", "192.0.2.8/24"),
            gateways=("192.0.2.1",),
        ),
        Interface("", "networkd", "etc/systemd/network/20.network", mac=MAC, dhcp=True),
    )


def test_ifcfg_of_rhel_and_of_suse() -> None:
    redhat = (
        "TYPE=Ethernet\nDEVICE=ens192\nBOOTPROTO=none\nIPADDR0=192.0.2.7\nPREFIX0=24\nGATEWAY=192.0.2.1\nHWADDR=" + MAC
    )
    older = "DEVICE=eth1\nBOOTPROTO=static\nIPADDR=192.0.2.8\nNETMASK=255.255.255.128 # comment\n"
    suse = "BOOTPROTO='static'\nIPADDR='192.0.2.9/24'\nSTARTMODE='auto'\n"
    assert found(
        {
            "etc/sysconfig/network-scripts/ifcfg-ens192": redhat,
            "etc/sysconfig/network-scripts/ifcfg-eth1": older,
            "etc/sysconfig/network-scripts/ifcfg-eth1.bak": older,
            "etc/sysconfig/network-scripts/ifcfg-lo": "DEVICE=lo\n",
            "etc/sysconfig/network-scripts/ifup": "#!/bin/sh\n",
            "etc/sysconfig/network/ifcfg-eth0": suse,
            "etc/sysconfig/network/routes": "default 192.0.2.1 - -\n",
        }
    )[0] == (
        Interface(
            "ens192",
            "ifcfg-redhat",
            "etc/sysconfig/network-scripts/ifcfg-ens192",
            mac=MAC,
            addresses=("192.0.2.7/24",),
            gateways=("192.0.2.1",),
        ),
        Interface("eth1", "ifcfg-redhat", "etc/sysconfig/network-scripts/ifcfg-eth1", addresses=("192.0.2.8/25",)),
        Interface(
            "eth0",
            "ifcfg-suse",
            "etc/sysconfig/network/ifcfg-eth0",
            addresses=("192.0.2.9/24",),
            gateways=("192.0.2.1",),
        ),
    )


def test_rules_that_pin_names_give_interfaces_their_mac() -> None:
    rule = f'SUBSYSTEM=="net", ACTION=="add", ATTR{{address}}=="{MAC}", KERNEL=="eth*", NAME="eth0"\n'
    files: dict[str, Content] = {
        "etc/udev/rules.d/70-persistent-net.rules": f"# comment\n{rule}",
        "etc/systemd/network/10-ens192.link": "[Match]\nMACAddress=00-50-56-AA-BB-02\n[Link]\nName=ens192\n",
        "etc/systemd/network/99-default.link": "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep\n",
        "etc/network/interfaces": "iface eth0 inet dhcp\n",
    }
    assert networks.pins(memory_root(files)) == (
        Pin("ens192", "00:50:56:aa:bb:02", "etc/systemd/network/10-ens192.link"),
        Pin("eth0", MAC, "etc/udev/rules.d/70-persistent-net.rules"),
    )
    assert found(files)[0][0].mac == MAC


def test_sections_keep_their_order_and_repeated_keys() -> None:
    text = "x=0\n[A]\nk=1\nk=2\n# c\n; c\n[B]\nk=3\nk=\nk=4\nlong=a\\\nb\n[A]\n"
    one, two, three = sections(text)
    assert (one.get("k"), one.all("k"), two.all("k"), two.get("long"), three) == (
        "2",
        ("1", "2"),
        ("4",),
        "a b",
        Section("A", ()),
    )
