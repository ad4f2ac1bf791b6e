"""Whole machines in memory as installers leave them: what they have in common, how they are inspected and mended."""

import gzip
import lzma
from collections.abc import Callable, Mapping

from jeos.convert import adapt
from jeos.convert.changed import Changed
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Disk, Survey, Volume
from jeos.convert.systems import Place, linux
from jeos.disk.initramfs import archive
from jeos.disk.root import Mounted, Root
from memory_filesystem import Content, Link, MemoryFileSystem

MAC = "00:50:56:aa:bb:01"
UUIDS = {"sda1": "AB12-34CD", "sda2": "b007", "rhel/root": "4007", "sda3": "4003"}
CONSOLE = "console=ttyS0,115200 console=tty0"


def volume(name: str, content: str) -> Volume:
    kind, number = ("logical", 0) if "/" in name else ("partition", int(name[3:]))
    return Volume(name, kind, 1 << 30, disk="sda", number=number, content=content, uuid=UUIDS.get(name, "x"))


def kernel(version: str, initrd: str, *, suffix: str, there: Mapping[str, bytes]) -> dict[str, Content]:
    """Return a kernel whose initrd has VMware's driver and nothing for another disk."""
    folder = f"usr/lib/modules/{version}"
    paths = {
        "virtio_pci": "virtio/virtio_pci",
        "virtio_blk": "block/virtio_blk",
        "virtio_scsi": "scsi/virtio_scsi",
        "vmw_pvscsi": "scsi/vmw_pvscsi",
    }
    pack: Callable[[bytes], bytes] = lzma.compress if suffix.endswith("xz") else bytes
    modules: dict[str, Content] = {
        f"{folder}/kernel/drivers/{path}{suffix}": pack(f"\x7fELF {name}".encode()) for name, path in paths.items()
    }
    packed = gzip.compress(archive({f"{folder}/kernel/drivers/scsi/vmw_pvscsi{suffix}": b"\x7fELF", **there}))
    return {
        **modules,
        f"{folder}/modules.dep": "".join(f"kernel/drivers/{path}{suffix}:\n" for path in paths.values()),
        f"{folder}/modules.alias": "alias virtio:d00000002v* virtio_blk\n",
        f"{folder}/modules.builtin": "kernel/drivers/scsi/sd_mod.ko\n",
        f"boot/vmlinuz-{version}": b"kernel",
        f"boot/config-{version}": "CONFIG_RD_GZIP=y\n",
        f"boot/{initrd}": packed,
        "lib": Link("usr/lib"),
        "usr/lib/systemd/systemd": b"\x7fELF",
        "usr/lib/systemd/network/99-default.link": "[Link]\n",
    }


def describe(survey: Survey, root: str, systems: Mapping[str, MemoryFileSystem]) -> Machine:
    place = Place(survey=survey, filesystems=systems, mounted=Mounted("", systems[root], volume=root))
    system, files = linux.describe(place)
    return Machine(survey, system, files)


def survey(*volumes: Volume) -> Survey:
    return Survey((Disk("sda", 1 << 34, table="gpt"),), volumes)


def mended(machine: Machine, *macs: str) -> tuple[dict[str, tuple[str, ...]], Root]:
    """Return the names of the fixes with what they cannot, and the files after them, which need no more of them."""
    fixes = adapt.plan(machine, Options(macs=macs))
    root = Changed(machine.root, [change for fix in fixes for change in fix.changes])
    assert adapt.plan(Machine(machine.survey, machine.system, root), Options(macs=macs)) == ()
    return {fix.name: fix.cannot for fix in fixes}, root
