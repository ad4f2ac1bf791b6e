"""Keep the old hypervisor's tools from starting: they stay installed, and `systemctl enable` brings them back."""

import re

from jeos.convert.changes import Change, Fix, Link, Remove
from jeos.convert.machine import Machine, Options
from jeos.disk.root import Root
from jeos.model.tree import Kind

NAME = "guest-tools"
TITLE = "tools of the old hypervisor do not start"
ORDER = 60

# Services of each hypervisor's tools, from packages and from the makers' own installers; as units and as scripts.
TOOLS = {
    "vmware": ("open-vm-tools", "vmtoolsd", "vgauthd", "vgauth", "vmware-tools", "vmware-tools-thinprint"),
    "virtualbox": ("vboxadd", "vboxadd-service", "vboxadd-x11", "vboxservice", "virtualbox-guest-utils"),
    "xen": ("xe-linux-distribution", "xe-daemon"),
}
_MORE = {"vmware": ("run-vmblock-fuse",), "virtualbox": ("virtualbox-guest-x11",)}
_TITLES = {"vmware": "VMware", "virtualbox": "VirtualBox", "xen": "XenServer"}
_SUFFIXES = (".service", ".mount")
_UNITS = "etc/systemd/system"
_UNIT_FOLDERS = ("lib/systemd/system", "usr/lib/systemd/system", _UNITS)
_SCRIPT_LINKS = ("etc/rc[2-5].d", "etc/rc.d/rc[2-5].d", "etc/init.d/rc[2-5].d")
_START = re.compile(r"S\d\d(.+)", re.ASCII)
_SHARES = re.compile(r"(?m)^[ \t]*[^#\s]\S*[ \t]+(\S+)[ \t]+(fuse\.vmhgfs-fuse|vmhgfs|vboxsf)[ \t]+(\S+)", re.ASCII)


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return the removal of what starts the tools at boot; those of a host that the machine goes to stay."""
    if not machine.linux:
        return None
    root = machine.root
    changes: list[Change] = []
    notes: list[str] = []
    for host, names in TOOLS.items():
        if host in options.hosts:
            continue
        found = [*_unit_links(root, (*names, *_MORE.get(host, ()))), *_script_links(root, names)]
        if found:
            changes += found
            stopped = sorted({_service(change.path) for change in found})
            notes.append(f"{_TITLES[host]}'s {', '.join(stopped)} no longer start at boot")
    cannot = [
        f"/etc/fstab: {where} is a folder that the old host shared ({kind}); remove its line"
        for where, kind, settings in _SHARES.findall(root.text_or_empty("etc/fstab"))
        if not {"nofail", "noauto"} & set(settings.split(","))
    ]
    if not changes and not cannot:
        return None
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes), cannot=tuple(cannot))


def _unit_links(root: Root, names: tuple[str, ...]) -> list[Change]:
    """Return the removal of the links with which systemd starts a unit, and of other names for it.

    Links to /dev/null stay: they mask a unit already.
    """
    units = {f"{name}{suffix}" for name in names for suffix in _SUFFIXES}
    folders = [_UNITS, *(f"{_UNITS}/{name}" for name in root.names(_UNITS) if name.endswith((".wants", ".requires")))]
    return [
        Remove(f"{folder}/{name}")
        for folder in folders
        for name, node in root.children(folder)
        if name in units and node.kind is Kind.SYMLINK and node.target != "/dev/null"
    ]


def _script_links(root: Root, names: tuple[str, ...]) -> list[Change]:
    """Return links that stop a script in each runlevel in place of those that start it (System V).

    Without any link a package's next version would think that the script is new, and start it.
    """
    found: list[Change] = []
    seen: set[str] = set()
    for pattern in _SCRIPT_LINKS:
        for folder in root.glob(pattern):
            place = root.find(folder).path
            if place in seen:
                continue
            seen.add(place)
            for entry in root.names(place):
                match = _START.fullmatch(entry)
                if match is None or match[1] not in names or not _runs_scripts(root, match[1]):
                    continue
                target = root.find(f"{place}/{entry}", follow=False).node.target
                found += [Remove(f"{place}/{entry}"), Link(f"{place}/K01{match[1]}", target or f"../init.d/{match[1]}")]
    return found


def _runs_scripts(root: Root, name: str) -> bool:
    """Tell whether a script matters: systemd ignores it where there is a unit of that name."""
    return not any(root.exists(f"{folder}/{name}.service") for folder in _UNIT_FOLDERS)


def _service(path: str) -> str:
    name = path.rpartition("/")[2]
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return re.sub(r"^[SK]\d\d", "", name)
