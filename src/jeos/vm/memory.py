"""What a machine keeps of this host's memory, and for what: the guest's own, QEMU's, and that of jeos.

memory = of_machine(qemu=812, guest_bytes=512 << 20, supervisor=811)
memory.guest, memory.qemu, memory.supervisor      # bytes; memory.total is what the machine costs

All are proportional set sizes (PSS): a page that several processes share is counted in equal parts, so that the sum
over all machines is what they cost together. Source: Linux, Documentation/filesystems/proc.rst, "smaps".
"""

import re
from dataclasses import dataclass
from pathlib import Path

HEADER = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ")
KIBIBYTE = 1 << 10
COUNTED = (b"Pss:", b"Private_Hugetlb:", b"Shared_Hugetlb:")  # pages that were set aside are in no PSS


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: what the guest has touched of its memory, what QEMU needs beside it, and what the supervisor needs."""

    guest: int = 0
    qemu: int = 0
    supervisor: int = 0

    @property
    def total(self) -> int:
        """All that the machine keeps of this host's memory."""
        return self.guest + self.qemu + self.supervisor


def of_machine(*, qemu: int, guest_bytes: int, supervisor: int) -> Memory:
    """Return what the processes of a machine whose guest has `guest_bytes` keep; 0 for one that has ended."""
    try:
        text = Path(f"/proc/{qemu}/smaps").read_bytes()
    except OSError:  # it ended, or belongs to somebody else
        return Memory(supervisor=proportional(supervisor))
    guest, everything = split(text, guest_bytes=guest_bytes)
    return Memory(guest=guest, qemu=everything - guest, supervisor=proportional(supervisor))


def split(text: bytes, *, guest_bytes: int) -> tuple[int, int]:
    """Return the bytes in the mappings that are the guest's memory, and in all, of what `smaps` says.

    QEMU maps a guest's memory in one piece, with flags that none of its other mappings has, so that the kernel does not
    join it to another: the mapping of exactly that size is it.
    """
    guest = everything = 0
    inside = False
    for line in text.splitlines():
        header = HEADER.match(line)
        if header:
            size = int(header[2], 16) - int(header[1], 16)
            inside = size == guest_bytes and header[3].startswith(b"rw-")
        elif line.startswith(COUNTED):
            pages = int(line.split()[1]) * KIBIBYTE
            everything += pages
            guest += pages if inside else 0
    return guest, everything


def proportional(process: int) -> int:
    """Return the bytes of memory that a process keeps, its part of what it shares with others included (PSS)."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    values = [line.split()[1] for line in text.splitlines() if line.startswith("Pss:")]
    return int(values[0]) * KIBIBYTE if values else 0
