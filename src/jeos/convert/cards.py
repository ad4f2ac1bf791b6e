"""Which name each network card must have on the new home, so that what is configured by name still finds its card.

    for card in cards(system, macs=("00:50:56:aa:bb:01",)):
        card.name, card.mac        # "ens192", "00:50:56:aa:bb:01"

A machine's names come from where its cards sat (ens192: slot 192 of VMware's board). On another board they are other
names, and only the cards' addresses stay, if the new machine is given the old ones.
"""

import hashlib
import re
from dataclasses import dataclass

from jeos.convert.survey import System

_PHYSICAL = re.compile(r"eth\d+|en[ospPxuvad]\w+|em\d+|p\d+p\d+(?:_\d+)?|wl\w+|ib\w+|slot\d+", re.ASCII)
_NAME = re.compile(r"[\w.:-]{1,15}", re.ASCII)  # what the kernel takes, and no path
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.ASCII)
_NUMBER = re.compile(r"\d+")
# What invented addresses begin with: what QEMU's documentation takes for its guests, and what the others' own software
# gives out by default. vSphere takes no others by hand than those up to 00:50:56:3f.
_INVENTED = "52:54:00"
_INVENTED_FOR = {"vmware": "00:50:56", "hyperv": "00:15:5d", "virtualbox": "08:00:27"}
_VMWARE_BY_HAND = 0x3F
_VMWARE_FIRST = 160  # the first of the slots that VMware gives to PCI express devices: 160, 192, 224, 256, 161, …
_VMWARE_BRIDGES = 32


@dataclass(frozen=True, slots=True)
class Card:
    """A network card: its name in the configuration, and the address that it has, or must get, on the new home.

    `source` says where the address is from: "machine" (what the machine's description said), "configuration" (the
    guest's files) or "invented". `pinned` is the file that gives the card its name already, "" if none does.
    """

    name: str
    mac: str
    source: str
    pinned: str = ""


def cards(system: System, *, macs: tuple[str, ...], home: str = "virtio") -> tuple[Card, ...]:
    """Return the cards that the configuration knows by name, in the order of the machine's cards.

    `macs` are those of the machine's description, in its order; where there are none, the guest's files say them, and
    where these do not either, they are invented, always the same for the same machine. A name that more cards are
    configured for than the machine has is left out. `home` is the kind of host that the machine goes to.
    """
    known = tuple(_normal(mac) for mac in macs)
    told = [*((item.name, item.mac) for item in system.interfaces), *((pin.name, pin.mac) for pin in system.pins)]
    own = {name: _normal(mac) for name, mac in told if _MAC.fullmatch(_normal(mac))}
    names = {item.name for item in system.interfaces if _NAME.fullmatch(item.name)}
    names = {name for name in names if _PHYSICAL.fullmatch(name) or name in own}
    if known:
        own = {name: mac for name, mac in own.items() if mac in known}
    free = [mac for mac in known if mac not in own.values()]
    pins = {(pin.name, _normal(pin.mac)): pin.path for pin in system.pins}
    found = []
    for name in sorted(names, key=_order):
        if name in own:
            mac, source = own[name], "machine" if known else "configuration"
        elif known and not free:
            continue
        else:
            mac, source = (free.pop(0), "machine") if free else (_invented(system, name, home), "invented")
        found.append(Card(name, mac, source, pinned=pins.get((name, mac), "")))
    order = {mac: number for number, mac in enumerate(known)}
    return tuple(sorted(found, key=lambda card: order.get(card.mac, len(order))))


def _normal(mac: str) -> str:
    return mac.strip().strip("\"'").replace("-", ":").lower()


def _order(name: str) -> tuple[int, ...]:
    """Return the key that sorts names as the cards sat: by number, and VMware's slots by its own way of counting."""
    numbers = [int(number) for number in _NUMBER.findall(name)]
    if name.startswith("ens") and numbers and numbers[0] >= _VMWARE_FIRST:
        return (numbers[0] % _VMWARE_BRIDGES, *numbers)
    return (0, *numbers)


def _invented(system: System, name: str, home: str) -> str:
    digest = bytearray(hashlib.sha256(f"{system.volume} {system.hostname} {name}".encode()).digest())
    if home == "vmware":
        digest[0] &= _VMWARE_BY_HAND
    return f"{_INVENTED_FOR.get(home, _INVENTED)}:{digest[:3].hex(':')}"
