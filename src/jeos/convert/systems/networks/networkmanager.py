"""NetworkManager's keyfiles (nm-settings-keyfile(5))."""

import re
from collections.abc import Iterator

from jeos.convert.survey import Interface
from jeos.convert.systems import networks
from jeos.convert.systems.ini import Section, sections
from jeos.disk.root import Root

_FOLDERS = ("usr/lib/NetworkManager/system-connections", "etc/NetworkManager/system-connections")
_KINDS = ("ethernet", "802-3-ethernet")
_ADDRESS = re.compile(r"address(?:es)?\d*")


def read(root: Root) -> Iterator[Interface]:
    """Yield the wired connections; one that is for any card has no name."""
    for folder in _FOLDERS:
        for name in root.names(folder):
            text = root.text_or_empty(f"{folder}/{name}")
            found = {section.name: section for section in sections(text)}
            connection = found.get("connection")
            if connection is not None and connection.get("type") in _KINDS:
                yield _interface(found, connection, f"{folder}/{name}")


def _interface(found: dict[str, Section], connection: Section, path: str) -> Interface:
    wired = found.get("ethernet") or found.get("802-3-ethernet")
    matched = found["match"].get("interface-name").strip(";") if "match" in found else ""
    addresses: list[str] = []
    gateways: list[str] = []
    methods = []
    for family in ("ipv4", "ipv6"):
        section = found.get(family)
        if section is None:
            continue
        methods.append(section.get("method"))
        for key, value in section.items:
            if _ADDRESS.fullmatch(key):
                for item in value.strip(";").split(";"):
                    address, _, gateway = item.partition(",")
                    addresses.append(address.strip())
                    gateways += [gateway.strip()] if gateway.strip() else []
        if section.get("gateway"):
            gateways.append(section.get("gateway"))
    return Interface(
        name=connection.get("interface-name") or matched,
        manager="networkmanager",
        path=path,
        mac=networks.mac(wired.get("mac-address")) if wired else "",
        addresses=tuple(address for address in addresses if address),
        gateways=tuple(dict.fromkeys(gateways)),
        dhcp="auto" in methods or "dhcp" in methods,
    )
