"""Which Linux this is: distribution, version, architecture, and the tools that it is looked after with."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.root import Root

# Families by what os-release calls a system, or says that it is like.
_FAMILIES = {
    "debian": ("debian", "ubuntu", "raspbian", "linuxmint", "kali", "devuan", "proxmox"),
    "redhat": ("rhel", "fedora", "centos", "rocky", "almalinux", "ol", "amzn", "scientific", "oracle", "redhat"),
    "suse": ("suse", "opensuse", "sles", "sled", "sle", "opensuse-leap", "opensuse-tumbleweed", "sle-micro"),
    "arch": ("arch", "archlinux", "manjaro"),
    "alpine": ("alpine",),
}
_MACHINES = {  # e_machine of ELF, as Debian's ports are called
    3: "i386",
    22: "s390x",
    21: "ppc64el",
    40: "armhf",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
}
_PROGRAMS = ("usr/bin/sh", "bin/sh", "usr/bin/env", "sbin/init", "usr/lib/systemd/systemd", "bin/busybox")
_PACKAGES = (
    ("dpkg", "var/lib/dpkg/status"),
    ("rpm", "usr/lib/sysimage/rpm"),
    ("rpm", "var/lib/rpm"),
    ("pacman", "var/lib/pacman/local"),
    ("apk", "lib/apk/db/installed"),
    ("apk", "usr/lib/apk/db/installed"),
)
_INITRAMFS = (
    ("initramfs-tools", "usr/sbin/update-initramfs"),
    ("dracut", "usr/bin/dracut"),
    ("dracut", "usr/sbin/dracut"),
    ("dracut", "sbin/dracut"),
    ("mkinitcpio", "usr/bin/mkinitcpio"),
)


@dataclass(frozen=True, slots=True)
class Release:
    """What a system calls itself."""

    family: str
    id: str = ""
    name: str = ""
    version: str = ""
    pretty: str = ""


def read(root: Root) -> Release:
    """Return what a system's release files say."""
    said = assignments(root.text_or_empty("etc/os-release") or root.text_or_empty("usr/lib/os-release"))
    if not said:
        return _older(root)
    words = [said.get("ID", ""), *said.get("ID_LIKE", "").split()]
    version = said.get("VERSION_ID", "")
    if said.get("ID") == "debian" and "." not in version:  # os-release does not say the point release
        version = root.text_or_empty("etc/debian_version").strip() or version
    return Release(
        family=family_of(words),
        id=said.get("ID", ""),
        name=said.get("NAME", ""),
        version=version,
        pretty=said.get("PRETTY_NAME", "") or said.get("NAME", ""),
    )


def family_of(words: list[str]) -> str:
    """Return the family of the first word that is known, "linux" if none is."""
    for word in words:
        for family, names in _FAMILIES.items():
            if word.lower() in names:
                return family
    return "linux"


def _older(root: Root) -> Release:
    """Return what systems say that are older than os-release."""
    for path, name in (("etc/redhat-release", "redhat"), ("etc/SuSE-release", "suse")):
        text = root.text_or_empty(path).partition("\n")[0].strip()
        if text:
            before, _, rest = text.partition(" release ")
            version = rest.split()[0] if rest else next((word for word in text.split() if word[0].isdigit()), "")
            return Release(name, name, before, version, text)
    version = root.text_or_empty("etc/debian_version").strip()
    if version:
        return Release("debian", "debian", "Debian", version, f"Debian {version}")
    return Release("linux")


def assignments(text: str) -> dict[str, str]:
    """Return the variables that a file of shell assignments sets, without running it."""
    found = {}
    for line in text.splitlines():
        name, sign, value = line.strip().partition("=")
        if not sign or name.startswith("#") or not name.replace("_", "").isalnum():
            continue
        try:
            words = shlex.split(value, comments=True)
        except ValueError:  # a quotation that does not end
            words = [value.strip()]
        found[name] = words[0] if words else ""
    return found


def architecture(root: Root) -> str:
    """Return what Debian calls the machine that the system's programs are for, "" if none of them is found."""
    for path in _PROGRAMS:
        try:
            place = root.find(path)
        except InputError:
            continue
        head = place.mounted.filesystem.read(place.node, offset=0, length=20)
        if head[:4] == b"\x7fELF" and len(head) == 20:
            machine = int.from_bytes(head[18:20], "big" if head[5] == 2 else "little")
            return _MACHINES.get(machine, f"ELF machine {machine}")
    return ""


def hostname(root: Root) -> str:
    """Return the machine's name, "" if it has none."""
    text = root.text_or_empty("etc/hostname") or root.text_or_empty("etc/HOSTNAME")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            return line.strip()
    network: Mapping[str, str] = assignments(root.text_or_empty("etc/sysconfig/network"))
    return network.get("HOSTNAME", "")


def packages(root: Root) -> str:
    """Return what installs packages: "dpkg", "rpm", "pacman", "apk" or ""."""
    return next((name for name, path in _PACKAGES if root.exists(path)), "")


def initramfs(root: Root) -> str:
    """Return what makes first file systems."""
    return next((name for name, path in _INITRAMFS if root.exists(path)), "")
