"""What a machine keeps of this host's memory, from what the kernel says of it."""

import os

from jeos.vm import memory
from jeos.vm.memory import Memory

SMAPS = b"""\
55d0c0a00000-55d0c0e00000 r-xp 00000000 fe:01 1 /usr/bin/qemu-system-x86_64
Size:               4096 kB
Pss:                1000 kB
Pss_Dirty:             0 kB
VmFlags: rd ex
7f0000000000-7f0002000000 rw-p 00000000 00:00 0
Size:              32768 kB
Pss:                5000 kB
Pss_Anon:           5000 kB
7f1000000000-7f1002000000 ---p 00000000 00:00 0
Pss:                   0 kB
7f2000000000-7f2000001000 rw-p 00000000 00:00 0 [stack]
Pss:                   4 kB
"""


def test_split_tells_the_guests_memory_from_all() -> None:
    assert memory.split(SMAPS, guest_bytes=32 << 20) == (5000 << 10, 6004 << 10)
    assert memory.split(SMAPS, guest_bytes=64 << 20) == (0, 6004 << 10)


def test_split_counts_pages_that_were_set_aside() -> None:
    huge = SMAPS + b"7f3000000000-7f3001000000 rw-s 00000000 00:10 7 /memfd:microvm.ram (deleted)\n"
    huge += b"Pss:                   0 kB\nShared_Hugetlb:        0 kB\nPrivate_Hugetlb:   8192 kB\n"
    assert memory.split(huge, guest_bytes=16 << 20) == (8192 << 10, (6004 + 8192) << 10)


def test_of_machine_counts_processes_and_leaves_out_ended_ones() -> None:
    found = memory.of_machine(qemu=os.getpid(), guest_bytes=1, supervisor=os.getpid())
    assert found.guest == 0
    assert found.qemu > 1 << 20
    assert found.total == found.qemu + found.supervisor
    assert memory.of_machine(qemu=0, guest_bytes=1, supervisor=0) == Memory()
