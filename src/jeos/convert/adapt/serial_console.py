"""Have the kernel talk, and a login wait, on the serial port: how a machine is seen where there is no screen.

The screen stays the main console. systemd starts a login on each console of the kernel by itself.
"""

import re

from jeos.convert import command_lines
from jeos.convert.changes import Change, Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.disk.root import Root

NAME = "serial-console"
TITLE = "kernel messages and a login on the serial port"
ORDER = 70

_SPEED = 115200  # bits per second; virtual ports do not care, real ones are set so everywhere
_SERIAL = re.compile(r"(?<![\w.])console=(?:ttyS|ttyAMA|hvc)\d", re.ASCII)
_DEFAULT = "etc/default/grub"
_DEFAULTS = (_DEFAULT, "etc/default/grub.d/*.cfg")
_CMDLINE = "etc/kernel/cmdline"
_INITTAB = "etc/inittab"
_SYSTEMD = ("lib/systemd/systemd", "usr/lib/systemd/systemd")


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return command lines with the serial port as a second console, and its login where systemd starts none."""
    if not machine.linux or not options.console:
        return None
    # The last console is /dev/console, where the system's own messages go: that stays the screen.
    arguments = f"console={options.console},{_SPEED} console=tty0"
    changes = _plan_command_lines(machine, arguments) + _plan_environments(machine.root, arguments)
    notes = [f"the kernel's command lines get {arguments}"] if changes else []
    login = _plan_login(machine.root, options.console)
    if login is not None:
        notes.append(f"/{_INITTAB} starts a login on {options.console}")
        changes.append(login)
    return Fix(NAME, TITLE, changes=tuple(changes), notes=tuple(notes)) if changes else None


def _has_serial(line: str) -> bool:
    return _SERIAL.search(line) is not None


def _plan_command_lines(machine: Machine, arguments: str) -> list[Change]:
    root = machine.root
    defaults = command_lines.globbed(root, _DEFAULTS)
    # Settings are put together of all these files: one of them may say it already.
    said = any(_has_serial(line) for path in defaults for line in _settings(root.read_text(path)))
    changes: list[Change] = []
    for path in command_lines.places(machine):
        before = root.read_text(path)
        if path == _CMDLINE:
            after = before if _has_serial(before) else f"{before.rstrip()} {arguments}\n".lstrip()
        elif path in defaults:
            after = before if said or path != _DEFAULT else _with_default(before, arguments)
        else:
            after = command_lines.add_arguments(before, arguments, unless=_has_serial)
        if after != before:
            changes.append(Write(path, after.encode("utf-8", "surrogateescape")))
    return changes


def _settings(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def _with_default(text: str, arguments: str) -> str:
    """Return the settings of update-grub with the arguments in GRUB_CMDLINE_LINUX, which is added if need be."""
    after = command_lines.add_arguments(text, arguments, unless=_has_serial)
    if after != text:
        return after
    gap = "\n" if text and not text.endswith("\n") else ""
    return f'{text}{gap}GRUB_CMDLINE_LINUX="${{GRUB_CMDLINE_LINUX}} {arguments}"\n'


def _plan_environments(root: Root, arguments: str) -> list[Change]:
    changes: list[Change] = []
    for path in command_lines.environments(root):
        before = command_lines.read_block(root.read(path))
        after = command_lines.add_arguments(before or "", arguments, unless=_has_serial)
        block = command_lines.write_block(after)
        if before is not None and after != before and block is not None:
            changes.append(Write(path, block))
    return changes


def _plan_login(root: Root, console: str) -> Change | None:
    """Return inittab with a login on the port, for systems that systemd does not start."""
    before = root.text_or_empty(_INITTAB)
    if not before or any(root.exists(path) for path in _SYSTEMD):
        return None
    if any(console in line for line in _settings(before)):
        return None
    getty = f"/sbin/agetty -L {_SPEED} {console} vt100"
    if not root.exists("sbin/agetty"):
        getty = f"/sbin/getty -L {console} {_SPEED} vt100"
    gap = "" if before.endswith("\n") else "\n"
    line = f"S{console[-1]}:2345:respawn:{getty}\n"
    return Write(_INITTAB, (before + gap + line).encode("utf-8", "surrogateescape"))
