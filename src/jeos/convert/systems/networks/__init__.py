"""How a Linux machine's network is configured: one module for each kind of files.

    interfaces(root, pins(root), notes=notes)

A module has `read(root) -> Iterator[Interface]`; adding a kind means adding its module and its name to `MANAGERS`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

from jeos.convert.survey import Interface, Pin
from jeos.convert.systems.ini import sections
from jeos.convert.systems.networks import ports
from jeos.core.errors import InputError
from jeos.disk.root import Root

MANAGERS = ("ifupdown", "netplan", "networkmanager", "networkd", "ifcfg")

_LINKS = ("etc/systemd/network", "usr/lib/systemd/network", "usr/local/lib/systemd/network")
_RULES = "etc/udev/rules.d/*net*.rules"
_RULE_MAC = re.compile(r"ATTRS?\{address\}==\"([0-9A-Fa-f:]{17})\"")
_RULE_NAME = re.compile(r"NAME=\"([^\"]+)\"")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


class Manager(Protocol):
    """A module that reads one kind of configuration."""

    def read(self, root: Root) -> Iterator[Interface]:
        """Yield the interfaces that are configured. Raises InputError for files that are damaged."""
        ...


def interfaces(root: Root, pinned: tuple[Pin, ...], *, notes: list[str]) -> tuple[Interface, ...]:
    """Return the configured interfaces, with the MAC that a rule ties to their name where they have none."""
    macs = {pin.name: pin.mac for pin in pinned}
    found = []
    for name in MANAGERS:
        manager = cast(Manager, import_module(f"{__name__}.{name}"))
        try:
            for interface in manager.read(root):
                known = interface if interface.mac else replace(interface, mac=macs.get(interface.name, ""))
                found.append(known)
        except InputError as error:
            notes.append(f"network: {error.message}")
    below = ports.read(root, found)
    return (*found, *(replace(interface, mac=macs.get(interface.name, "")) for interface in below))


def mac(text: str) -> str:
    """Return a MAC in small letters with colons, "" if that is none."""
    plain = text.strip().strip("\"'").lower().replace("-", ":")
    return plain if _MAC.fullmatch(plain) else ""


def pins(root: Root) -> tuple[Pin, ...]:
    """Return the rules that give the interface with a MAC a name."""
    found: list[Pin] = []
    for folder in _LINKS:
        for name in root.names(folder):
            if name.endswith(".link"):
                found += _link(root, f"{folder}/{name}")
    for path in root.glob(_RULES):
        for line in root.text_or_empty(path).splitlines():
            address, given = _RULE_MAC.search(line), _RULE_NAME.search(line)
            if address and given and not line.lstrip().startswith("#"):
                found.append(Pin(given[1], address[1].lower(), path))
    return tuple(found)


def _link(root: Root, path: str) -> Iterator[Pin]:
    text = root.text_or_empty(path)
    matched = [
        mac(address)
        for section in sections(text)
        if section.name == "Match"
        for key in ("MACAddress", "PermanentMACAddress")
        for address in section.get(key).split()
    ]
    name = next((section.get("Name") for section in sections(text) if section.name == "Link"), "")
    if name:
        yield from (Pin(name, address, path) for address in matched if address)
