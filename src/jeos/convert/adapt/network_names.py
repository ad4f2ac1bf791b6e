"""Give each network card, known by its address, the name that the machine's configuration has for it.

However ifupdown, netplan, NetworkManager, systemd-networkd or ifcfg files name a card: the name is made true again by
systemd-udevd (a .link file) or, on older systems, by a rule of udev; the configuration itself stays as it is.
"""

import re
from functools import partial

from jeos.convert import initrds
from jeos.convert.cards import Card, cards
from jeos.convert.changes import Append, Change, Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import CARDS, DRIVERS
from jeos.disk import initramfs
from jeos.disk.root import Root

NAME = "network-names"
TITLE = "network interfaces keep their names"
ORDER = 40

_RULES = "etc/udev/rules.d/70-persistent-net.rules"
_COUNTED = re.compile(r"eth\d+", re.ASCII)  # the kernel's own names, in the order in which it finds cards
_COUNTING = re.compile(r"(?<![\w.])net\.ifnames=0(?!\w)", re.ASCII)
_LINK_FOLDERS = ("lib/systemd/network", "usr/lib/systemd/network")
_NO_PREDICTION = ("etc/systemd/network/99-default.link", "etc/udev/rules.d/80-net-setup-link.rules")
_HWADDR = re.compile(r"(?m)^([ \t]*HWADDR[ \t]*=[ \t]*[\"']?)([0-9A-Fa-f:-]{17})", re.ASCII)
_BY_DRIVER = re.compile(r"(?im)^[ \t]*(?:driver[ \t]*[:=]|Path[ \t]*=).*", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the files that tie names to cards, in the machine and in initrds that find cards."""
    if not machine.linux:
        return None
    root = machine.root
    found = cards(machine.system, macs=options.macs, home=options.hosts[0])
    changes: list[Change] = []
    notes: list[str] = []
    pinned: dict[str, bytes] = {}
    for card in found:
        if card.pinned or not (options.keep_network or _vanishes(machine, card)):
            continue
        written = _pin(root, card, pinned)
        if written is not None:
            changes.append(written)
            notes.append(_note(card, written.path))
    changes += _plan_initrds(machine, options, pinned)
    changes += _plan_addresses(machine, found, notes)
    cannot = _cannot(machine, options, found)
    if not changes and not cannot:
        return None
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes), cannot=tuple(cannot))


def _vanishes(machine: Machine, card: Card) -> bool:
    """Tell whether the name depends on the hardware: eth0 does not, where the kernel counts its cards."""
    return not (_COUNTED.fullmatch(card.name) and _kernel_counts(machine))


def _kernel_counts(machine: Machine) -> bool:
    root = machine.root
    if not any(root.is_folder(folder) for folder in _LINK_FOLDERS):
        return True
    # Switched off by an empty file or a link to /dev/null, which leads to no file.
    listed = [path.rpartition("/") for path in _NO_PREDICTION]
    off = any(name in root.names(folder) and not root.text_or_empty(f"{folder}/{name}") for folder, _, name in listed)
    lines = (*machine.system.boot.configs, *machine.system.boot.entries, "etc/default/grub", "etc/kernel/cmdline")
    return off or any(_COUNTING.search(root.text_or_empty(path)) for path in lines)


def _pin(root: Root, card: Card, pinned: dict[str, bytes]) -> Write | None:
    """Return the file that gives a card its name, None if it is there; what initrds need too goes into `pinned`."""
    if not any(root.is_folder(folder) for folder in _LINK_FOLDERS):
        before = root.text_or_empty(_RULES)
        gap = "\n" if before and not before.endswith("\n") else ""
        rule = (
            f'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{{address}}=="{card.mac}", '
            f'ATTR{{type}}=="1", NAME="{card.name}"\n'
        )
        if rule in before:
            return None
        return Write(_RULES, (before + gap + rule).encode("utf-8", "surrogateescape"))
    path = f"etc/systemd/network/10-jeos-{card.name}.link"
    pinned[path] = content = link_file(card)
    return None if root.text_or_empty(path).encode() == content else Write(path, content)


def link_file(card: Card) -> bytes:
    """Return the .link file that gives a card its name (systemd.link(5)).

    Bonds, bridges and VLANs may have a card's address too, but no path.
    """
    return (
        "# The name that this machine's configuration has for the card; written by jeos convert.\n"
        f"[Match]\nMACAddress={card.mac}\nPath=*\n\n[Link]\nName={card.name}\n"
    ).encode()


def _plan_initrds(machine: Machine, options: Options, pinned: dict[str, bytes]) -> list[Change]:
    """Return what gives names in initrds that have the new home's network driver: cards are named there first."""
    changes: list[Change] = []
    drivers = {name for host in options.hosts for name in DRIVERS[host] if name in CARDS}
    for kernel in machine.system.kernels:
        if not pinned or kernel.initrd is None or not drivers.intersection((*kernel.initrd.modules, *kernel.builtin)):
            continue
        data = machine.root.read(kernel.initrd.path, limit=initramfs.UNPACKED_LIMIT)
        contents = initrds.read(data)
        missing = {path: content for path, content in pinned.items() if contents.files.get(path) != content}
        if missing and "lz4" not in contents.packing:
            changes.append(Append(kernel.initrd.path, initramfs.archive(missing), align=initramfs.ALIGNMENT))
    return changes


def _plan_addresses(machine: Machine, found: tuple[Card, ...], notes: list[str]) -> list[Change]:
    """Return ifcfg files whose HWADDR is none of the machine's, which would keep them from being used."""
    changes: list[Change] = []
    for card in found:
        for item in machine.system.interfaces:
            if item.name != card.name or item.manager != "ifcfg-redhat" or not item.mac or card.source != "machine":
                continue
            before = machine.root.read_text(item.path)
            after = _HWADDR.sub(partial(_readdressed, card.mac), before)
            if after != before:
                changes.append(Write(item.path, after.encode("utf-8", "surrogateescape")))
                notes.append(f"/{item.path}: HWADDR is {card.mac}, the address of the machine's own card")
    return changes


def _readdressed(mac: str, match: re.Match[str]) -> str:
    return match[0] if match[2].replace("-", ":").lower() == mac else match[1] + mac.upper()


def _note(card: Card, path: str) -> str:
    why = {
        "machine": "as the machine's description says",
        "configuration": "as its own files say",
        "invented": "which is invented: give the new machine's card this address",
    }[card.source]
    return f"/{path}: {card.name} is the card with the address {card.mac}, {why}"


def _cannot(machine: Machine, options: Options, found: tuple[Card, ...]) -> list[str]:
    """Return what is configured in a way that no name can mend."""
    cannot = []
    there = {card.name for card in found}
    for item in machine.system.interfaces:
        if options.macs and item.static and item.name not in there and _counted_out(item.name):
            cannot.append(f"/{item.path}: {item.name} has an address, but the machine has no card left for it")
        if item.manager in ("netplan", "networkd") and (
            match := _BY_DRIVER.search(machine.root.text_or_empty(item.path))
        ):
            cannot.append(f"/{item.path}: {match[0].strip()!r} fits the old home's card only; match by name instead")
        tied = item.mac and options.macs and item.manager in ("networkmanager", "netplan", "networkd")
        if tied and item.mac.lower() not in {mac.lower() for mac in options.macs}:
            cannot.append(f"/{item.path}: {item.name} is tied to {item.mac}, which none of the machine's cards has")
    return list(dict.fromkeys(cannot))


def _counted_out(name: str) -> bool:
    return bool(re.fullmatch(r"(?:eth|en|em)\w*\d+\w*", name, re.ASCII))
