"""What is measured: the quantities in their order, with the words that people read.

Each is the time that one operation takes. `PER_MEBIBYTE` are streams, whose operation moves 1 MiB, so that they can be
shown as a rate.
"""

from dataclasses import dataclass

MEBIBYTE_RATE = "MiB/s"


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that is measured: its identifier in results, what it is called, and what one operation is."""

    name: str
    title: str
    operation: str
    stream: bool = False


QUANTITIES = (
    Quantity("arithmetic", "arithmetic", "a multiplication and an addition that wait for those before them"),
    Quantity("system-call", "system call", "getppid(), the least that a kernel can be asked for"),
    Quantity("page-fault", "page fault", "the first write to a page of 4 KiB, of memory that was in use before"),
    Quantity("first-fault", "page fault, new memory", "the same, of memory that this system never used before"),
    Quantity("mprotect", "mprotect", "taking the right to write to a page, giving it back, and writing"),
    Quantity("fork", "fork and exit", "a small process that ends at once, waited for"),
    Quantity("switch", "context switch", "from one process to another on the same processor, through a pipe"),
    Quantity("timer", "timer, late by", "how late a process runs that asked to be woken after 100 µs"),
    Quantity("memory-4k", "memory, pages of 4 KiB", "a read whose address needs a translation that the TLB lacks"),
    Quantity("memory-2m", "memory, pages of 2 MiB", "the same read where the TLB holds all translations"),
    Quantity("disk-read", "disk, read 4 KiB", "a read of data that the host has in its cache"),
    Quantity("disk-write", "disk, write 4 KiB", "a write that is flushed to the host's device"),
    Quantity("disk-stream", "disk, stream", "reading 1 MiB that the host has in its cache", stream=True),
    Quantity("network-round-trip", "network, round trip", "one byte over TCP to a process of the host, and back"),
    Quantity("network-send", "network, send", "sending 1 MiB over TCP to a process of the host", stream=True),
    Quantity("network-receive", "network, receive", "receiving 1 MiB over TCP from a process of the host", stream=True),
)
BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}
