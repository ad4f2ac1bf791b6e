"""A program in QEMU's place that gives a machine another board: one with an IOMMU and an NVMe disk.

Behind QEMU's Intel IOMMU each device has a group of its own. The processor stays AMD's, so that KVM runs in there;
nothing binds an IOMMU to a maker's processor. The kernel's check of its timer counts ticks against a loop, which a busy
host that emulates fails.
"""

from pathlib import Path

from jeos.core.run import find_program
from jeos.vm.command import PROGRAM

ADDRESS = "0000:00:10.0"  # of the NVMe disk
SCRIPT = """#!/bin/bash
words=() skip=
for word in "$@"; do
    [ -z "$skip" ] || {{ skip=; continue; }}
    case "$word" in
        microvm,*) words+=("q35,graphics=off,dump-guest-core=off,kernel-irqchip=split") ;;
        -bios) skip=1 ;;
        *console=*) words+=("$word no_timer_check") ;;
        *) words+=("$word") ;;
    esac
done
exec {program} -device intel-iommu,intremap=on "${{words[@]}}" \\
    -drive if=none,id=nvme,format=raw,file={disk} -device nvme,drive=nvme,serial=passed,addr=0x10
"""


def put_in_place(folder: Path, *, disk: Path) -> None:
    """Make the program in a folder for PATH; `disk` is the file that is the NVMe disk, made here."""
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    place = folder / PROGRAM
    place.write_text(SCRIPT.format(program=find_program(PROGRAM), disk=disk))
    place.chmod(0o755)
