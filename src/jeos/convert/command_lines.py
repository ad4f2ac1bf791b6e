"""Where a machine keeps its kernels' command lines: GRUB 2 and 1, entries of the boot loader specification, syslinux,
and what these are made from, so that the next update of the boot loader keeps what was changed.

    for path in places(machine):
        text = add_arguments(machine.root.read_text(path), "console=ttyS0", unless=lambda line: "console=" in line)
"""

import re
from collections.abc import Callable

from jeos.convert.machine import Machine
from jeos.disk.root import Root

# What the survey knows of GRUB's configuration is added.
_PATTERNS = (
    "boot/grub/grub.cfg",
    "boot/grub2/grub.cfg",
    "boot/efi/EFI/*/grub.cfg",
    "boot/grub/menu.lst",
    "boot/grub/grub.conf",
    "boot/efi/EFI/*/grub.conf",
    "boot/loader/entries/*.conf",
    "boot/efi/loader/entries/*.conf",
    "efi/loader/entries/*.conf",
    "boot/extlinux/*.conf",
    "boot/extlinux.conf",
    "boot/syslinux/*.cfg",
    "etc/default/grub",
    "etc/default/grub.d/*.cfg",
    "etc/kernel/cmdline",
    "etc/lilo.conf",
)
_ENVIRONMENTS = ("boot/grub/grubenv", "boot/grub2/grubenv", "boot/efi/EFI/*/grubenv")
_BLOCK_BYTES = 1024  # what GRUB can read and write without a file system's help (grub2 "Environment block")
_BLOCK_MAGIC = "# GRUB Environment Block\n"

_KERNELS = ("linux", "linux16", "linuxefi", "kernel")
_QUOTED = re.compile(r"(?:[ \t]*set[ \t]+(?:default_)?kernelopts|GRUB_CMDLINE_LINUX)=([\"'])", re.ASCII)


def globbed(root: Root, patterns: tuple[str, ...]) -> list[str]:
    """Return the files that match, each once, whatever links lead to it."""
    found = {root.find(path).path: None for pattern in patterns for path in root.glob(pattern) if root.is_file(path)}
    return list(found)


def places(machine: Machine) -> list[str]:
    """Return the text files that hold command lines."""
    boot = machine.system.boot
    known = [path for path in (*boot.configs, *boot.entries) if machine.root.is_file(path)]
    return list(dict.fromkeys([*globbed(machine.root, _PATTERNS), *(machine.root.find(path).path for path in known)]))


def environments(root: Root) -> list[str]:
    """Return GRUB's environment blocks, in which RHEL 8 keeps the kernel's command line."""
    return globbed(root, _ENVIRONMENTS)


def read_block(data: bytes) -> str | None:
    """Return the text of an environment block without what fills it, None if it is none."""
    text = data.decode("utf-8", "surrogateescape")
    return text.rstrip("#") if text.startswith(_BLOCK_MAGIC) and len(data) == _BLOCK_BYTES else None


def write_block(text: str) -> bytes | None:
    """Return an environment block, None if the text has no room in it."""
    data = text.encode("utf-8", "surrogateescape")
    return data.ljust(_BLOCK_BYTES, b"#") if len(data) <= _BLOCK_BYTES else None


def add_arguments(text: str, arguments: str, *, unless: Callable[[str], bool]) -> str:
    """Return a configuration with arguments at the end of each of its command lines, but those that need none.

    A line that takes its arguments from a variable is left alone: the variable gets them.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        end = _end_of_arguments(line)
        if end is None or unless(line[:end]) or "$kernelopts" in line or "${kernelopts}" in line:
            continue
        gap = "" if line[:end].endswith(('"', "'")) and _QUOTED.fullmatch(line[:end]) else " "
        lines[number] = f"{line[:end]}{gap}{arguments}{line[end:]}"
    return "\n".join(lines)


def _end_of_arguments(line: str) -> int | None:
    """Return where the arguments on a line end, None if it is no command line.

    Entries and syslinux have lines of `linux` and `kernel` too, with nothing behind the file: theirs are elsewhere.
    """
    if match := _QUOTED.match(line):
        closing = line.find(match[1], match.end())
        return None if closing < 0 else len(line[:closing].rstrip())
    words = line.split(maxsplit=2)
    if not words:
        return None
    command = words[0].lower() if words[0].lower() == "append" else words[0]
    whole = (
        (command in _KERNELS and len(words) > 2)
        or (command == "append" and len(words) > 1)
        or (line.startswith("options") and command == "options" and len(words) > 1)
        or line.startswith("# kopt=")
        or line.startswith("kernelopts=")
    )
    return len(line.rstrip()) if whole else None
