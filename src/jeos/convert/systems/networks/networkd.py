"""systemd-networkd's .network files (systemd.network(5))."""

from collections.abc import Iterator

from jeos.convert.survey import Interface
from jeos.convert.systems import networks
from jeos.convert.systems.ini import Section, sections
from jeos.disk.root import Root

_FOLDERS = ("usr/lib/systemd/network", "usr/local/lib/systemd/network", "etc/systemd/network")
_DHCP = ("yes", "true", "on", "1", "ipv4", "ipv6", "both", "v4", "v6")


def read(root: Root) -> Iterator[Interface]:
    """Yield what is matched by name or by MAC; a name may be a pattern such as "en*"."""
    files: dict[str, str] = {}
    for folder in _FOLDERS:
        files.update({name: f"{folder}/{name}" for name in root.names(folder) if name.endswith(".network")})
    packaged = tuple(f"{folder}/" for folder in _FOLDERS[:1])
    for name in sorted(files):
        if files[name].startswith(packaged):  # for containers and the like, which systemd itself brings
            continue
        found = list(sections(root.text_or_empty(files[name])))
        match = next((section for section in found if section.name == "Match"), None)
        if match is not None and (match.get("Name") or match.get("MACAddress") or match.get("PermanentMACAddress")):
            yield _interface(found, match, files[name])


def _interface(found: list[Section], match: Section, path: str) -> Interface:
    addresses: list[str] = []
    gateways: list[str] = []
    dhcp = False
    for section in found:
        if section.name == "Network":
            addresses += section.all("Address")
            gateways += section.all("Gateway")
            dhcp |= section.get("DHCP").lower() in _DHCP
        elif section.name == "Address":
            addresses += section.all("Address")
        elif section.name == "Route" and section.get("Destination") in ("", "0.0.0.0/0", "::/0"):
            gateways += section.all("Gateway")
    return Interface(
        name=match.get("Name"),
        manager="networkd",
        path=path,
        mac=networks.mac((match.get("MACAddress") or match.get("PermanentMACAddress")).partition(" ")[0]),
        addresses=tuple(addresses),
        gateways=tuple(gateways),
        dhcp=dhcp,
    )
