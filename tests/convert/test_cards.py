"""Which card has which name: from the machine's description, the guest's files, or invented."""

import pytest

from jeos.convert.cards import Card, cards
from jeos.convert.survey import Interface, Pin, System

ONE, TWO, THREE = (f"00:50:56:aa:bb:0{number}" for number in (1, 2, 3))


def system(*interfaces: Interface, pins: tuple[Pin, ...] = ()) -> System:
    return System(family="debian", volume="sda1", hostname="web", interfaces=interfaces, pins=pins)


def named(name: str, mac: str = "") -> Interface:
    return Interface(name=name, manager="ifupdown", path="etc/network/interfaces", mac=mac)


def test_names_take_the_addresses_in_the_order_of_vmware_slots() -> None:
    there = system(named("ens161"), named("lo"), named("ens192"), named("ens224"), named("br0"), named("ens192.7"))
    assert cards(there, macs=(ONE.upper(), TWO, THREE)) == (
        Card("ens192", ONE, "machine"),
        Card("ens224", TWO, "machine"),
        Card("ens161", THREE, "machine"),
    )


def test_an_address_in_the_files_counts_more_than_the_order() -> None:
    there = system(named("ens192"), named("lan", TWO.upper()), pins=(Pin("lan", TWO, "etc/x.link"),))
    assert cards(there, macs=(TWO, ONE)) == (
        Card("lan", TWO, "machine", pinned="etc/x.link"),
        Card("ens192", ONE, "machine"),
    )


def test_an_address_that_the_machine_does_not_have_is_not_believed() -> None:
    assert cards(system(named("eth0", THREE)), macs=(ONE,)) == (Card("eth0", ONE, "machine"),)


def test_a_name_without_a_card_is_left_out() -> None:
    assert cards(system(named("eth0"), named("eth1")), macs=(ONE,)) == (Card("eth0", ONE, "machine"),)


def test_without_a_description_addresses_are_from_the_files_or_invented_the_same_each_time() -> None:
    there = system(named("enp2s0"), named("enp10s0", ONE))
    found = cards(there, macs=())
    assert found == (Card("enp2s0", found[0].mac, "invented"), Card("enp10s0", ONE, "configuration"))
    assert found[0].mac.startswith("52:54:00:")
    assert cards(there, macs=()) == found
    assert cards(system(named("enp3s0")), macs=())[0].mac != found[0].mac


@pytest.mark.parametrize(
    ("home", "prefix"),
    [("virtio", "52:54:00:"), ("vmware", "00:50:56:"), ("hyperv", "00:15:5d:"), ("virtualbox", "08:00:27:")],
)
def test_invented_addresses_are_of_the_new_home(home: str, prefix: str) -> None:
    found = [cards(system(named(f"eth{number}")), macs=(), home=home)[0] for number in range(30)]
    assert {card.source for card in found} == {"invented"} and len({card.mac for card in found}) == 30
    assert all(card.mac.startswith(prefix) for card in found)
    if home == "vmware":  # what vSphere takes by hand
        assert all(int(card.mac.split(":")[3], 16) <= 0x3F for card in found)
