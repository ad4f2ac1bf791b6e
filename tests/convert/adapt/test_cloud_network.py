"""cloud-init and static addresses."""

from collections.abc import Mapping

import pytest

from jeos.convert.adapt import cloud_network
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Interface, Survey, System
from memory_filesystem import Content, memory_root

CLOUD: dict[str, Content] = {"etc/cloud/cloud.cfg": "users:\n  - default\n", "etc/cloud/cloud.cfg.d/05.cfg": "x: 1\n"}
PATH = "etc/cloud/cloud.cfg.d/99-jeos-network.cfg"


def machine(files: Mapping[str, Content], *addresses: str) -> Machine:
    interface = Interface("ens192", "netplan", "etc/netplan/50-cloud-init.yaml", addresses=addresses)
    system = System(family="debian", volume="sda1", interfaces=(interface,))
    return Machine(Survey((), ()), system, memory_root(files))


def test_static_addresses_survive_cloud_init() -> None:
    there = machine(CLOUD, "192.0.2.7/24")
    fix = cloud_network.plan(there, Options())
    content = b"# The network stays as it was on the old home; written by jeos convert.\nnetwork: {config: disabled}\n"
    assert fix == Fix(
        "cloud-network",
        "cloud-init leaves the network as it is",
        changes=(Write(PATH, content),),
        notes=(f"/{PATH}: cloud-init would replace the static addresses by DHCP on a machine that is new to it",),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert cloud_network.plan(after, Options()) is None


def test_dhcp_is_left_to_cloud_init_unless_asked() -> None:
    assert cloud_network.plan(machine(CLOUD), Options()) is None
    assert cloud_network.plan(machine(CLOUD), Options(keep_network=True)) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"etc/cloud/cloud-init.disabled": ""},
        {"etc/cloud/cloud.cfg.d/subiquity-disable-cloudinit-networking.cfg": "network: {config: disabled}\n"},
        {"etc/cloud/cloud.cfg": "network:\n  config: disabled\n"},
    ],
)
def test_a_cloud_init_that_is_off_is_left_alone(more: dict[str, Content]) -> None:
    assert cloud_network.plan(machine({**CLOUD, **more}, "192.0.2.7/24"), Options()) is None
    assert cloud_network.plan(machine({}, "192.0.2.7/24"), Options()) is None
