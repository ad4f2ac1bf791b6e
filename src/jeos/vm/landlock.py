"""Landlock: what a process may open, make and reach, kept by the kernel, for which nobody needs rights.

    abi = version()                         # 0 where the kernel has none
    restrict(fence, abi=abi)                # from now on, and for all that this process becomes

Source: Linux, Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h. A kernel refuses what it does
not know, so a ruleset names what its version knows: 2 linking between folders, 3 truncation, 4 TCP, 5 devices' orders,
6 signals and abstract sockets.
"""

import ctypes
import os
import struct
from pathlib import Path

from jeos.vm import syscalls
from jeos.vm.elf import interpreter
from jeos.vm.fence import Fence

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_FILE, MAKE_REG, MAKE_SOCK = 1 << 5, 1 << 8, 1 << 9
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST = (1 << 13) - 1  # all that version 1 knows
SINCE = ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))
DEVICES = 1 << 6 | 1 << 11  # MAKE_CHAR, MAKE_BLOCK
TREE = (FIRST | REFER | TRUNCATE) & ~(EXECUTE | DEVICES)
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the rest is about folders
TCP_SINCE, BIND_TCP, CONNECT_TCP = 4, 1 << 0, 1 << 1
SCOPES_SINCE, ABSTRACT_SOCKETS, SIGNALS = 6, 1 << 0, 1 << 1
VERSION, PATH_BENEATH = 1 << 0, 1  # LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH


def version() -> int:
    """Return the version of Landlock that this kernel has, 0 for none."""
    try:
        return syscalls.call(syscalls.LANDLOCK_CREATE_RULESET, None, 0, VERSION, what="landlock")
    except OSError:  # it was built or started without
        return 0


def restrict(fence: Fence, *, abi: int) -> None:
    """Keep this process to a fence for good; it must have given up new rights. Raises OSError."""
    handled = FIRST | sum(right for since, right in SINCE if abi >= since)
    tcp = BIND_TCP | CONNECT_TCP if abi >= TCP_SINCE and not fence.network else 0
    scoped = ABSTRACT_SOCKETS | SIGNALS if abi >= SCOPES_SINCE else 0
    size = 24 if abi >= SCOPES_SINCE else 16 if abi >= TCP_SINCE else 8
    attributes = struct.pack("=QQQ", handled, tcp, scoped)[:size]
    ruleset = syscalls.call(syscalls.LANDLOCK_CREATE_RULESET, attributes, size, 0, what="landlock")
    try:
        for path, rights in _rules(fence):
            _allow(ruleset, path, rights & handled)
        syscalls.call(syscalls.LANDLOCK_RESTRICT_SELF, ruleset, 0, what="landlock")
    finally:
        os.close(ruleset)


def _rules(fence: Fence) -> list[tuple[Path, int]]:
    """Return each path with what may be done there."""
    loader = interpreter(fence.program)
    # Distributions and users have scripts in QEMU's place, too, which start whatever they start.
    programs = [fence.program, *([loader] if loader else fence.read)]
    write = READ_FILE | WRITE_FILE | TRUNCATE
    return [
        *((path, EXECUTE | READ_FILE) for path in programs),
        *((path, READ_FILE | READ_DIR) for path in fence.read),
        *((path, write) for path in fence.write),
        *((path, write | READ_DIR | REMOVE_FILE | MAKE_REG | MAKE_SOCK) for path in fence.rooms),
        *((path, READ_FILE | READ_DIR if path in fence.read_only else TREE) for path in fence.trees),
        *((path, READ_FILE | WRITE_FILE | IOCTL_DEV) for path in fence.devices),
    ]


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & OF_FILES, place)
        buffer = ctypes.create_string_buffer(rule, len(rule))
        syscalls.call(syscalls.LANDLOCK_ADD_RULE, ruleset, PATH_BENEATH, buffer, 0, what=f"landlock {path}")
    finally:
        os.close(place)
