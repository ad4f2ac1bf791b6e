"""Debian's ifupdown: /etc/network/interfaces, and what it includes (interfaces(5))."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from jeos.convert.survey import Interface
from jeos.convert.systems import networks
from jeos.convert.systems.networks.addresses import with_prefix
from jeos.disk.root import Root

FILE = "etc/network/interfaces"
_INCLUDES = 8  # files within files
_STANZAS = ("iface", "mapping", "auto", "source", "source-directory", "rename", "template")


@dataclass
class _Stanza:
    name: str
    method: str
    path: str
    options: list[tuple[str, str]] = field(default_factory=list)

    def get(self, key: str) -> str:
        return next((value for name, value in self.options if name == key), "")


def read(root: Root) -> Iterator[Interface]:
    """Yield the interfaces; the stanzas of one are put together."""
    found: dict[str, list[_Stanza]] = {}
    for stanza in _stanzas(root, FILE, depth=0):
        name = stanza.name.partition(":")[0]  # eth0:1 is another address of eth0
        if name != "lo" and stanza.method != "loopback":
            found.setdefault(name, []).append(stanza)
    for name, stanzas in found.items():
        yield Interface(
            name=name,
            manager="ifupdown",
            path=stanzas[0].path,
            mac=next(filter(None, (_mac(stanza) for stanza in stanzas)), ""),
            addresses=tuple(
                with_prefix(stanza.get("address"), stanza.get("netmask"))
                for stanza in stanzas
                if stanza.method == "static" and stanza.get("address")
            ),
            gateways=tuple(dict.fromkeys(stanza.get("gateway") for stanza in stanzas if stanza.get("gateway"))),
            dhcp=any(stanza.method in ("dhcp", "auto") for stanza in stanzas),
        )


def _mac(stanza: _Stanza) -> str:
    return networks.mac(stanza.get("hwaddress").removeprefix("ether").strip())


def _stanzas(root: Root, path: str, *, depth: int) -> Iterator[_Stanza]:
    stanza: _Stanza | None = None
    for line in root.text_or_empty(path).replace("\\\n", " ").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        key = words[0]
        if key in _STANZAS or key.startswith("allow-") or key == "no-auto-down":
            if stanza is not None:
                yield stanza
            stanza = None
            if key == "iface" and len(words) >= 2:
                # "iface NAME inherits OTHER" has no method of its own; what it inherits is not followed
                method = words[3] if len(words) >= 4 and words[2] in ("inet", "inet6") else ""
                stanza = _Stanza(words[1], method, path)
            elif key in ("source", "source-directory") and depth < _INCLUDES:
                for included in _included(root, key, " ".join(words[1:])):
                    yield from _stanzas(root, included, depth=depth + 1)
        elif stanza is not None:
            stanza.options.append((key, " ".join(words[1:])))
    if stanza is not None:
        yield stanza


def _included(root: Root, key: str, pattern: str) -> list[str]:
    pattern = pattern if pattern.startswith("/") else f"etc/network/{pattern}"
    if key == "source-directory":
        pattern = f"{pattern}/*"
    return [path for path in root.glob(pattern.strip("/")) if root.is_file(path)]
