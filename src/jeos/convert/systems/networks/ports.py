"""Cards that have no settings of their own, because a bond, a bridge or a VLAN over them has: they must be found too.

list(read(root, [Interface(name="ens192.20", …)]))      # an Interface "ens192", without addresses
"""

import re
from collections.abc import Iterator, Sequence

from jeos.convert.survey import Interface
from jeos.disk.root import Root

_VLAN = re.compile(r"([^.]+)\.\d{1,4}", re.ASCII)
_NAMES_LIMIT = 64  # of cards in one file
# What names the cards below an interface: files, whose they are, and the settings.
_SETTINGS = (
    (
        ("etc/network/interfaces", "etc/network/interfaces.d/*"),
        "ifupdown",
        re.compile(
            r"(?m)^[ \t]*(?:bond[-_]slaves|slaves|bridge[-_]ports|vlan[-_]raw[-_]device)[ \t]+(.+)$",
            re.ASCII,
        ),
    ),
    (("etc/sysconfig/network-scripts/ifcfg-*",), "ifcfg-redhat", re.compile(r"(?m)^[ \t]*PHYSDEV=(.+)$", re.ASCII)),
    (
        ("etc/sysconfig/network/ifcfg-*",),
        "ifcfg-suse",
        re.compile(r"(?m)^[ \t]*(?:BONDING_SLAVE\w{0,9}|BRIDGE_PORTS|ETHERDEVICE)=(.+)$", re.ASCII),
    ),
    (
        ("etc/NetworkManager/system-connections/*",),
        "networkmanager",
        re.compile(r"(?m)^[ \t]*parent[ \t]*=[ \t]*(.+)$", re.ASCII),
    ),
)
_NO_CARDS = ("none", "all", "regex", "auto")  # what ifupdown's settings may say instead of names


def read(root: Root, found: Sequence[Interface]) -> Iterator[Interface]:
    """Yield the cards below the interfaces that were found, each once, without those that are among them."""
    known = {interface.name for interface in found}
    for name, manager, path in _mentioned(root, found):
        if name not in known:
            known.add(name)
            yield Interface(name=name, manager=manager, path=path)


def _mentioned(root: Root, found: Sequence[Interface]) -> Iterator[tuple[str, str, str]]:
    for interface in found:
        names = interface.name.split()[:_NAMES_LIMIT]  # systemd-networkd takes several
        for name in names if len(names) > 1 else ():
            yield name, interface.manager, interface.path
        for name in names:
            if match := _VLAN.fullmatch(name):
                yield match[1], interface.manager, interface.path
    for patterns, manager, setting in _SETTINGS:
        for path in (path for pattern in patterns for path in root.glob(pattern)):
            for match in setting.finditer(root.text_or_empty(path)):
                for name in match[1].split("#")[0].replace('"', " ").replace("'", " ").split()[:_NAMES_LIMIT]:
                    if name not in _NO_CARDS:
                        yield name, manager, path
