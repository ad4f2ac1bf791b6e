"""A guest of 70 bytes: prints "ready" on its serial port, repeats what is typed, and on "o" powers off, on "r" resets.

It is an ELF program with a PVH entry, as Linux has one, so that QEMU's microvm starts it in a tenth of a second.
Sources: Xen, docs/misc/pvh.pandoc (32-bit protected mode, flat segments); QEMU, hw/acpi/generic_event_device.c
(sleep and reset registers) and include/hw/i386/microvm.h (their addresses).
"""

import socket
import struct
from pathlib import Path

from jeos.model.machine import Boot, Machine
from jeos.vm import disks
from jeos.vm.places import places_of

GREETING = b"ready\n"
LOAD = 0x100000  # where the file is in the guest's memory
HEADERS = 64 + 2 * 56  # of the file and its two segments
NOTE_SIZE = 24
ENTRY = LOAD + HEADERS + NOTE_SIZE
PVH_ENTRY = 18  # XEN_ELFNOTE_PHYS32_ENTRY

CODE = bytes.fromhex(
    "ac84c0 7407 66baf803 ee ebf4"  # greet: lodsb; test %al, %al; jz poll; mov $0x3f8, %dx; out %al, %dx; jmp greet
    "66bafd03 ec a801 74f7"  # poll: mov $0x3fd, %dx; in %dx, %al; test $1, %al; jz poll
    "66baf803 ec 3c6f 7407 3c72 740c"  # mov $0x3f8, %dx; in %dx, %al; cmp $'o', %al; je off; cmp $'r', %al; je reset
    "ee ebe7"  # out %al, %dx; jmp poll
    "c6050002a0fe34 ebfe"  # off: movb $0x34, 0xfea00200 (sleep, type 5); jmp .
    "c6050202a0fe42 ebfe"  # reset: movb $0x42, 0xfea00202; jmp .
)


def elf() -> bytes:
    """Return the guest as an ELF file."""
    set_greeting = b"\xbe" + struct.pack("<I", ENTRY + 5 + len(CODE))  # mov $greeting, %esi
    note = struct.pack("<III4sQ", 4, 8, PVH_ENTRY, b"Xen\0", ENTRY)
    body = note + set_greeting + CODE + GREETING + b"\0"
    size = HEADERS + len(body)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, ENTRY, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 0, LOAD, LOAD, size, size, 4096)
    notes = struct.pack("<IIQQQQQQ", 4, 4, HEADERS, LOAD + HEADERS, LOAD + HEADERS, len(note), len(note), 4)
    return header + load + notes + body


def machine(folder: Path, *, name: str = "tiny") -> Machine:
    """Return a machine that runs the guest, with its files in `folder`."""
    disk, kernel, initrd = folder / "disk.img", folder / "kernel", folder / "initrd"
    if not disk.exists():
        disk.write_bytes(bytes(1 << 20))
        kernel.write_bytes(elf())
        initrd.write_bytes(b"none")
    return Machine(
        name=name,
        disk=str(disk),
        disk_fingerprint=disks.fingerprint(disk),
        boot=Boot.DIRECT,
        kernel=str(kernel),
        initrd=str(initrd),
        accelerator="tcg",
        memory=32,
        uuid="6b7f0c1e-0000-4000-8000-0000000abcde",
    )


def console_text(name: str = "tiny") -> bytes:
    """Return what the guest has printed, and repeated, so far."""
    log = places_of(name).console_log
    return log.read_bytes() if log.exists() else b""


def type_keys(keys: bytes, *, name: str = "tiny") -> None:
    """Type keys on the guest's console."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(places_of(name).console))
        line.sendall(keys)
        line.shutdown(socket.SHUT_WR)
        while line.recv(4096):  # until the console has taken all of it
            pass
