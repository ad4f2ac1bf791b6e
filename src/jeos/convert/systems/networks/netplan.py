"""netplan: YAML files, of which later ones change what earlier ones say (netplan(5))."""

from collections.abc import Iterator, Mapping

from jeos.convert.survey import Interface
from jeos.convert.systems import networks
from jeos.core.errors import InputError
from jeos.disk.root import Root

_FOLDERS = ("usr/lib/netplan", "lib/netplan", "etc/netplan", "run/netplan")
_LIMIT = 1 << 20  # bytes of one file
_DEFAULTS = ("default", "0.0.0.0/0", "::/0")


def read(root: Root) -> Iterator[Interface]:
    """Yield the network cards that netplan configures."""
    cards: dict[str, dict[str, object]] = {}
    paths: dict[str, str] = {}
    for path in _files(root):
        for name, settings in _ethernets(root, path).items():
            cards.setdefault(name, {}).update(settings)
            paths[name] = path
    for key, settings in cards.items():
        match = _mapping(settings.get("match"))
        yield Interface(
            name=_text(settings.get("set-name")) or _text(match.get("name")) or key,
            manager="netplan",
            path=paths[key],
            mac=networks.mac(_text(match.get("macaddress")) or _text(settings.get("macaddress"))),
            addresses=tuple(_addresses(settings.get("addresses"))),
            gateways=tuple(_gateways(settings)),
            dhcp=any(settings.get(name) is True for name in ("dhcp4", "dhcp6")),
        )


def _files(root: Root) -> list[str]:
    """Return the files in the order in which they count: by name, and one name counts once, in the last folder."""
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        found.update({name: f"{folder}/{name}" for name in root.names(folder) if name.endswith(".yaml")})
    return [found[name] for name in sorted(found)]


def _ethernets(root: Root, path: str) -> Mapping[str, dict[str, object]]:
    import yaml  # slow to load, and most machines have no netplan

    text = root.read(path, limit=_LIMIT)
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"/{path} is not read as YAML: {str(error).splitlines()[0]}") from error
    ethernets = _mapping(_mapping(_mapping(content).get("network")).get("ethernets"))
    return {name: dict(_mapping(settings)) for name, settings in ethernets.items()}


def _mapping(value: object) -> Mapping[str, object]:
    return {_text(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return what stands for a text, "" for a list or mapping: anchors make endless ones of a few lines."""
    return str(value) if isinstance(value, str | int | float) else ""


def _addresses(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):  # an address with options: "192.0.2.7/24": {label: …}
            yield from (_text(key) for key in item)
        elif _text(item):
            yield _text(item)


def _gateways(settings: Mapping[str, object]) -> Iterator[str]:
    for name in ("gateway4", "gateway6"):
        if _text(settings.get(name)):
            yield _text(settings[name])
    routes = settings.get("routes")
    for route in routes if isinstance(routes, list) else []:
        said = _mapping(route)
        if said.get("to") in _DEFAULTS and _text(said.get("via")):
            yield _text(said["via"])
