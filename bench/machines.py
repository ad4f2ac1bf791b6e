"""What makes the benchmark's disk a machine's: an initrd, and for libguestfs a kernel to look at it with.

source = with_initrd(disk, work)       # a copy of the disk, with /boot/initrd.img-VERSION
with appliance(work) as environment:
    measure.cost(["virt-inspector", "-a", source], env=environment)
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

import guestfs
from disks import FIRST_SECTOR
from jeos.disk import initramfs

LEVEL = 9  # of zstd, as update-initramfs takes it
# Parts of a kernel's modules that `MODULES=most` puts into an initrd; packed they have 27 MiB, like a real one.
FOLDERS = (
    *("drivers/ata", "drivers/block", "drivers/hv", "drivers/hid", "drivers/input", "drivers/md", "drivers/message"),
    *(
        "drivers/mmc",
        "drivers/net/ethernet",
        "drivers/nvme",
        "drivers/scsi",
        "drivers/usb",
        "drivers/virtio",
        "fs",
        "crypto",
    ),
)


def version(work: Path) -> str:
    """Return the version of the kernel on the disk."""
    return next((work / "tree/boot").glob("vmlinuz-*")).name.removeprefix("vmlinuz-")


def with_initrd(disk: Path, work: Path) -> Path:
    """Return a copy of the disk with an initrd like that which `update-initramfs` makes."""
    number = version(work)
    modules = work / "tree/lib/modules" / number / "kernel"
    found = (path for folder in FOLDERS for path in sorted((modules / folder).rglob("*.ko")))
    files = {f"usr/lib/modules/{number}/kernel/{path.relative_to(modules)}": path.read_bytes() for path in found}
    files |= {"conf/initramfs.conf": b"MODULES=most\n", "bin/busybox": (work / "tree/usr/bin/perl").read_bytes()}
    initrd, copy = work / "initrd", work / "inspected.raw"
    initrd.write_bytes(zstandard.ZstdCompressor(level=LEVEL).compress(initramfs.archive(files)))
    subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
    commands = f"write {initrd} /boot/initrd.img-{number}\n"
    place = f"{copy}?offset={FIRST_SECTOR * 512}"
    subprocess.run(["debugfs", "-w", "-f", "-", place], input=commands.encode(), check=True, capture_output=True)
    initrd.unlink()
    return copy


@contextmanager
def appliance(work: Path) -> Iterator[dict[str, str]]:
    """Yield the settings with which libguestfs runs the disk's own kernel, emulated, whatever this host has."""
    number = version(work)
    base = work / "appliance"
    modules = base / "lib/modules" / number
    if not modules.exists():
        modules.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", work / "tree/lib/modules" / number, modules], check=True)
        subprocess.run(["depmod", "-b", base, number], check=True)  # the disk's packages are not configured
    kernel = work / "tree/boot" / f"vmlinuz-{number}"
    with guestfs.appliance(kernel=kernel, modules=modules, cache=base) as environment:
        yield environment
