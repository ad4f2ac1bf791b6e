"""ifcfg files: RHEL's in network-scripts, and SUSE's, which share a name and little else (ifcfg(5) of each)."""

import re
from collections.abc import Iterator

from jeos.convert.survey import Interface
from jeos.convert.systems import networks
from jeos.convert.systems.networks.addresses import with_prefix
from jeos.convert.systems.release import assignments
from jeos.disk.root import Root

_REDHAT, _SUSE = "etc/sysconfig/network-scripts", "etc/sysconfig/network"
_NO_FILES = (".bak", ".orig", ".rpmnew", ".rpmsave", ".rpmorig", "~", ".old", ".scpmbackup", ".template")
_NUMBERED = re.compile(r"IPADDR(\w*)")


def read(root: Root) -> Iterator[Interface]:
    """Yield the interfaces of both kinds."""
    for folder, manager in ((_REDHAT, "ifcfg-redhat"), (_SUSE, "ifcfg-suse")):
        for name in root.names(folder):
            path = f"{folder}/{name}"
            if (
                not name.startswith("ifcfg-")
                or name == "ifcfg-lo"
                or name.endswith(_NO_FILES)
                or not root.is_file(path)
            ):
                continue
            said = assignments(root.text_or_empty(path))
            yield Interface(
                name=said.get("DEVICE") or ("" if said.get("HWADDR") else name.removeprefix("ifcfg-")),
                manager=manager,
                path=path,
                mac=networks.mac(said.get("HWADDR") or said.get("LLADDR") or ""),
                addresses=tuple(_addresses(said)),
                gateways=tuple(_gateways(root, said, manager=manager, name=name.removeprefix("ifcfg-"))),
                dhcp=said.get("BOOTPROTO", "").lower() in ("dhcp", "dhcp4", "dhcp6", "dhcp+autoip"),
            )


def _addresses(said: dict[str, str]) -> Iterator[str]:
    for key, value in said.items():
        match = _NUMBERED.fullmatch(key)
        if match and value:
            mask = (
                said.get(f"PREFIX{match[1]}") or said.get(f"PREFIXLEN{match[1]}") or said.get(f"NETMASK{match[1]}", "")
            )
            yield with_prefix(value, mask)
    if said.get("IPV6ADDR"):
        yield said["IPV6ADDR"]


def _gateways(root: Root, said: dict[str, str], *, manager: str, name: str) -> Iterator[str]:
    if manager == "ifcfg-redhat":
        if said.get("GATEWAY"):
            yield said["GATEWAY"]
        return
    for path in (f"{_SUSE}/ifroute-{name}", f"{_SUSE}/routes"):
        for line in root.text_or_empty(path).splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "default" and words[1] != "-":
                yield words[1]
