"""Give UEFI firmware Windows's boot manager under the one name that it looks for: \\EFI\\BOOT\\BOOTX64.EFI.

The entry "Windows Boot Manager" is in the old home's NVRAM and does not come along. The boot manager finds its
configuration (the BCD) in \\EFI\\Microsoft\\Boot wherever it was started from.
"""

import struct

from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options

NAME = "windows-boot"
TITLE = "Windows's boot manager where any UEFI firmware finds it"
ORDER = 240

ESP = "efi"  # where an EFI system partition is put in a Windows system's tree
_MANAGER = f"{ESP}/EFI/Microsoft/Boot/bootmgfw.efi"
_FALLBACKS = {0x8664: "BOOTX64.EFI", 0xAA64: "BOOTAA64.EFI", 0x014C: "BOOTIA32.EFI"}  # by the machine in a PE header
_LIMIT = 64 << 20  # bytes


def plan(machine: Machine, options: Options) -> Fix | None:
    """Return a copy of the boot manager under the fallback's name, where there is none."""
    if machine.system.family != "windows" or ESP not in machine.root.mounts or not machine.root.is_file(_MANAGER):
        return None
    content = machine.root.read(_MANAGER, limit=_LIMIT)
    name = _FALLBACKS.get(_machine(content))
    if name is None:
        return Fix(NAME, TITLE, cannot=(f"/{_MANAGER} is no program for UEFI that jeos knows",))
    path = f"{ESP}/EFI/BOOT/{name}"
    if machine.root.is_file(path):
        return None
    note = f"\\EFI\\BOOT\\{name} is a copy of Windows's boot manager"
    return Fix(NAME, TITLE, changes=(Write(path, content),), notes=(note,))


def _machine(program: bytes) -> int:
    """Return for which processor a PE file is, 0 if it is none."""
    if program[:2] != b"MZ" or len(program) < 0x40:
        return 0
    (header,) = struct.unpack_from("<I", program, 0x3C)
    if program[header : header + 4] != b"PE\0\0" or len(program) < header + 6:
        return 0
    return int(struct.unpack_from("<H", program, header + 4)[0])
