"""Cards below bonds, bridges and VLANs, as each kind of configuration names them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.convert.systems import networks
from jeos.convert.systems.networks import ports
from memory_filesystem import memory_root

IFUPDOWN = "etc/network/interfaces"
SUSE = "etc/sysconfig/network/ifcfg-bond0"
REDHAT = "etc/sysconfig/network-scripts/ifcfg-vlan5"
KEYFILE = "etc/NetworkManager/system-connections/a.nmconnection"
NETWORKD = "etc/systemd/network/a.network"


@pytest.mark.parametrize(
    ("path", "text", "manager", "names"),
    [
        (
            IFUPDOWN,
            "iface bond0 inet static\n  address 192.0.2.7/24\n  bond-slaves ens192 ens224 # both\n",
            "ifupdown",
            ["bond0", "ens192", "ens224"],
        ),
        (IFUPDOWN, "iface br0 inet dhcp\n  bridge_ports ens192\n", "ifupdown", ["br0", "ens192"]),
        (IFUPDOWN, "iface br0 inet dhcp\n  bridge_ports none\n", "ifupdown", ["br0"]),
        (IFUPDOWN, "iface ens192.20 inet dhcp\n", "ifupdown", ["ens192.20", "ens192"]),
        (IFUPDOWN, "iface v inet dhcp\n  vlan-raw-device ens192\n", "ifupdown", ["v", "ens192"]),
        (
            IFUPDOWN,
            "iface ens192 inet dhcp\niface br0 inet dhcp\n  bridge_ports ens192\n",
            "ifupdown",
            ["ens192", "br0"],
        ),
        (SUSE, "BONDING_SLAVE_0='eth0'\nBONDING_SLAVE_1='eth1'\n", "ifcfg-suse", ["bond0", "eth0", "eth1"]),
        (REDHAT, "DEVICE=vlan5\nPHYSDEV=ens192\n", "ifcfg-redhat", ["vlan5", "ens192"]),
        (KEYFILE, "[connection]\ntype=vlan\n[vlan]\nparent=ens192\nid=5\n", "networkmanager", ["ens192"]),
        (NETWORKD, "[Match]\nName=ens192 ens224\n", "networkd", ["ens192 ens224", "ens192", "ens224"]),
    ],
)
def test_cards_below_others_are_found(path: str, text: str, manager: str, names: list[str]) -> None:
    found = networks.interfaces(memory_root({path: text}), (), notes=[])
    assert [(one.name, one.manager, one.path) for one in found] == [(name, manager, path) for name in names]


@given(st.text(st.sampled_from("bond-slaves ens19\n\t #'\"=parent"), max_size=120))
def test_each_card_is_found_once_in_any_text(text: str) -> None:
    root = memory_root(dict.fromkeys((IFUPDOWN, SUSE, REDHAT, KEYFILE), text))
    found = [one.name for one in ports.read(root, [])]
    assert len(found) == len(set(found))
    assert list(ports.read(root, list(ports.read(root, [])))) == []
