"""Drivers appended to initrds of initramfs-tools, dracut and others, in every packing, as the kernel does."""

import gzip
import lzma
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from jeos.convert import survey
from jeos.convert.adapt import initrd_drivers
from jeos.convert.changed import Changed
from jeos.convert.changes import Append, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import DRIVERS, Initrd, Kernel, Survey, System
from jeos.disk import lz4_library, module_index
from jeos.disk.initramfs import archive, read
from jeos.disk.root import Root
from memory_filesystem import Content, memory_root

VERSION = "6.12.1-amd64"
FOLDER = f"usr/lib/modules/{VERSION}"
INITRD = f"boot/initrd.img-{VERSION}"
DEPENDENCIES = """\
kernel/drivers/virtio/virtio_ring.ko.xz: kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/virtio/virtio.ko.xz:
kernel/drivers/virtio/virtio_pci.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/drivers/scsi/virtio_scsi.ko.xz: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko.xz \
kernel/drivers/scsi/scsi_mod.ko.xz
kernel/drivers/net/virtio_net.ko.xz: kernel/net/core/failover.ko.xz kernel/drivers/virtio/virtio.ko.xz
kernel/net/core/failover.ko.xz:
kernel/drivers/scsi/scsi_mod.ko.xz: kernel/lib/unused.ko.xz
kernel/drivers/scsi/vmw_pvscsi.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz
kernel/drivers/usb/never.ko.xz: kernel/drivers/virtio/virtio.ko.xz
"""
ALIASES = """\
# Aliases extracted from modules themselves.
alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
alias virtio:d00000002v* virtio_blk
alias pci:v000015ADd000007C0sv*sd*bc*sc*i* vmw_pvscsi
alias usb:v1 never
"""
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "bare": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lambda data: b"".join(lz4_library.pack([data])),
}
THERE = {
    f"{FOLDER}/kernel/drivers/scsi/vmw_pvscsi.ko": b"\x7fELF old",
    f"{FOLDER}/kernel/drivers/scsi/scsi_mod.ko": b"\x7fELF old",
    f"{FOLDER}/modules.dep": b"stale",
    f"{FOLDER}/modules.dep.bin": b"stale",
}
TOOLS = {**THERE, "scripts/init-top/udev": b"", "conf/modules": b"ext4"}
DRACUT = {**THERE, "usr/lib/dracut-lib.sh": b"", "var/lib/dracut/hooks/x": b""}
SYSTEMD = {**DRACUT, "usr/lib/systemd/systemd-modules-load": b""}
ADDED = ("virtio", "virtio_ring", "virtio_pci", "virtio_blk", "virtio_scsi")
LOADED = (*ADDED[:4], "scsi_mod", *ADDED[4:])


def machine(initrd: bytes, more: Mapping[str, Content] | None = None, *, kernel: Kernel | None = None) -> Machine:
    modules: dict[str, Content] = {
        f"{FOLDER}/{line.partition(':')[0]}": lzma.compress(b"\x7fELF " + line.encode())
        for line in DEPENDENCIES.splitlines()
    }
    files: dict[str, Content] = {
        INITRD: initrd,
        f"{FOLDER}/modules.dep": DEPENDENCIES,
        f"{FOLDER}/modules.alias": ALIASES,
        f"{FOLDER}/modules.builtin": "kernel/drivers/scsi/sd_mod.ko\n",
        f"boot/config-{VERSION}": "# made by hand\nCONFIG_RD_GZIP=y\n",
        **modules,
        **(more or {}),
    }
    there = kernel or Kernel(
        version=VERSION,
        path=f"boot/vmlinuz-{VERSION}",
        modules=FOLDER,
        available=DRIVERS["virtio"],
        initrd=Initrd(path=INITRD, size=len(initrd)),
    )
    system = System(family="debian", volume="sda1", kernels=(there,))
    return Machine(survey=Survey(disks=(), volumes=(), systems=(system,)), system=system, root=memory_root(files))


def contents(root: Root) -> dict[str, bytes | None]:
    """Return what the kernel would unpack, all files with their bytes."""
    return dict(read(root.read(INITRD), wanted=lambda path: True).files)


@pytest.mark.parametrize("packing", PACKERS)
def test_an_initrd_gets_modules_and_lists_for_all_that_is_there(packing: str) -> None:
    before = machine(bytes(4) + PACKERS[packing](archive(TOOLS)))
    fix = initrd_drivers.plan(before, Options())
    assert fix is not None
    after = contents(Changed(before.root, fix.changes))
    modules = {path for path in after if path.endswith(".ko")}
    assert modules == {
        *(path for path in THERE if path.endswith(".ko")),
        f"{FOLDER}/kernel/drivers/virtio/virtio.ko",
        f"{FOLDER}/kernel/drivers/virtio/virtio_ring.ko",
        f"{FOLDER}/kernel/drivers/virtio/virtio_pci.ko",
        f"{FOLDER}/kernel/drivers/block/virtio_blk.ko",
        f"{FOLDER}/kernel/drivers/scsi/virtio_scsi.ko",
    }
    assert after[f"{FOLDER}/kernel/drivers/virtio/virtio.ko"] == b"\x7fELF kernel/drivers/virtio/virtio.ko.xz:"
    dependencies = (after[f"{FOLDER}/modules.dep"] or b"").decode()
    assert (
        dependencies
        == """\
kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio.ko:
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/scsi/virtio_scsi.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko \
kernel/drivers/scsi/scsi_mod.ko
kernel/drivers/scsi/scsi_mod.ko:
kernel/drivers/scsi/vmw_pvscsi.ko: kernel/drivers/scsi/scsi_mod.ko
"""
    )
    index = dict(module_index.read(after[f"{FOLDER}/modules.dep.bin"] or b""))
    assert index == {survey.module_name(line.partition(":")[0]): line for line in dependencies.splitlines()}
    assert dict(module_index.read(after[f"{FOLDER}/modules.alias.bin"] or b"")) == {
        "pci:v00001AF4d*sv*sd*bc*sc*i*": "virtio_pci",
        "virtio:d00000002v*": "virtio_blk",
        "pci:v000015ADd000007C0sv*sd*bc*sc*i*": "vmw_pvscsi",
    }


@pytest.mark.parametrize("packing", PACKERS)
def test_an_initrd_that_was_mended_needs_nothing(packing: str) -> None:
    before = machine(PACKERS[packing](archive(TOOLS)), {"etc/initramfs-tools/modules": "# mine"})
    fix = initrd_drivers.plan(before, Options())
    assert fix is not None
    after = Machine(survey=before.survey, system=before.system, root=Changed(before.root, fix.changes))
    assert initrd_drivers.plan(after, Options()) is None


@pytest.mark.parametrize(
    ("files", "path", "content"),
    [
        (TOOLS, "conf/modules", "ext4\n" + "".join(f"{name}\n" for name in LOADED)),
        (DRACUT, "etc/cmdline.d/jeos-drivers.conf", f"rd.driver.pre={','.join(LOADED)}\n"),
        (SYSTEMD, "etc/modules-load.d/jeos-drivers.conf", "".join(f"{name}\n" for name in LOADED)),
    ],
)
def test_drivers_are_loaded_in_the_way_of_each_generator(files: dict[str, bytes], path: str, content: str) -> None:
    before = machine(archive(files))
    fix = initrd_drivers.plan(before, Options())
    assert fix is not None
    assert contents(Changed(before.root, fix.changes))[path] == content.encode()


HOSTS = {
    "vmware": ("scsi_mod", "vmw_pvscsi", "mptspi", "mptsas", "sd_mod", "libata", "ahci"),
    "hyperv": ("hv_vmbus", "scsi_mod", "hv_storvsc", "sd_mod"),
    "virtualbox": ("libata", "ahci", "ata_piix", "mptspi", "mptsas", "sd_mod"),
    "xen": ("xen_blkfront",),
}
EVERY = """\
kernel/scsi/scsi_mod.ko:
kernel/ata/libata.ko:
kernel/scsi/vmw_pvscsi.ko: kernel/scsi/scsi_mod.ko
kernel/message/mptspi.ko:
kernel/message/mptsas.ko:
kernel/scsi/sd_mod.ko:
kernel/ata/ahci.ko: kernel/ata/libata.ko
kernel/ata/ata_piix.ko:
kernel/hv/hv_vmbus.ko:
kernel/scsi/hv_storvsc.ko: kernel/scsi/scsi_mod.ko
kernel/block/xen-blkfront.ko:
kernel/block/virtio_blk.ko:
kernel/net/vmxnet3.ko:
kernel/net/hv_netvsc.ko:
kernel/net/e1000.ko:
"""


@pytest.mark.parametrize("host", HOSTS)
def test_each_home_gets_the_drivers_of_its_own_disks(host: str) -> None:
    """Those of cards stay out: they are named by the real root's udev."""
    more: dict[str, Content] = {f"{FOLDER}/modules.dep": EVERY, f"{FOLDER}/modules.builtin": ""}
    for line in EVERY.splitlines():
        more[f"{FOLDER}/{line.partition(':')[0]}"] = b"\x7fELF"
    start = archive({"scripts/init-top/udev": b""})
    there = Kernel(
        version=VERSION,
        path="boot/vmlinuz",
        modules=FOLDER,
        available=DRIVERS[host],
        initrd=Initrd(path=INITRD, size=len(start)),
    )
    before = machine(start, more, kernel=there)
    fix = initrd_drivers.plan(before, Options(hosts=(host,)))
    assert fix is not None and fix.cannot == ()
    after = contents(Changed(before.root, fix.changes))
    added = {survey.module_name(path) for path in after if path.endswith(".ko")}
    assert added == set(HOSTS[host])
    loaded = (after["conf/modules"] or b"").decode().split()
    assert sorted(loaded) == sorted(HOSTS[host])
    dependencies = dict(line.split(":") for line in EVERY.splitlines())
    paths = {survey.module_name(path): needed.split() for path, needed in dependencies.items()}
    for name in loaded:
        for needed in paths[name]:
            assert loaded.index(survey.module_name(needed)) < loaded.index(name)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("hyperv", "no hv_vmbus and no hv_storvsc: only a machine of generation 1, with an IDE disk, may start it"),
        ("vmware", "no vmw_pvscsi: choose another kind of disk there"),
        ("xen", "no xen_blkfront: choose another kind of disk there"),
    ],
)
def test_a_kernel_without_a_driver_for_its_home_is_said(host: str, said: str) -> None:
    start = archive(TOOLS)
    bare = Kernel(version="6.1", path="boot/vmlinuz", modules=FOLDER, initrd=Initrd(path=INITRD, size=len(start)))
    fix = initrd_drivers.plan(
        machine(start, {f"{FOLDER}/modules.dep": ""}, kernel=bare), Options(hosts=("generic", host))
    )
    assert fix is not None and f"the kernel 6.1 has {said}" in fix.cannot


def test_what_is_said_and_kept_for_the_next_initrd() -> None:
    data = gzip.compress(archive(TOOLS))
    more: dict[str, Content] = {"etc/initramfs-tools/modules": "# mine\nvirtio_blk", "etc/dracut.conf.d": None}
    fix = initrd_drivers.plan(machine(data, more), Options())
    assert fix is not None
    comment = "# What the disks of this machine's new home need; added by jeos convert.\n"
    appended, *settings = fix.changes
    assert isinstance(appended, Append)
    assert (appended.path, appended.align) == (INITRD, 4)
    assert settings == [
        Write(
            "etc/initramfs-tools/modules",
            f"# mine\nvirtio_blk\n{comment}virtio_pci\nvirtio_scsi\nsd_mod\n".encode(),
        ),
        Write(
            "etc/dracut.conf.d/90-jeos-drivers.conf",
            f'{comment}add_drivers+=" virtio_pci virtio_blk virtio_scsi sd_mod "\n'.encode(),
        ),
    ]
    assert fix.notes == (f"/{INITRD} gets {', '.join(ADDED)}, which it needs to reach its disks",)
    assert fix.cannot == ()


def test_nothing_is_planned_where_all_is_there_or_part_of_the_kernel() -> None:
    ready = {f"{FOLDER}/kernel/{name}.ko.xz": b"" for name in LOADED}
    assert initrd_drivers.plan(machine(archive(ready)), Options()) is None
    known = Initrd(path="boot/not-read-again", size=1, modules=(*LOADED, "sd_mod"))
    seen = Kernel(version=VERSION, path="boot/vmlinuz", modules=FOLDER, available=DRIVERS["virtio"], initrd=known)
    assert initrd_drivers.plan(machine(b"", kernel=seen), Options()) is None
    builtin: dict[str, Content] = {
        f"{FOLDER}/modules.builtin": "".join(f"kernel/{name.replace('_', '-')}.ko\n" for name in LOADED)
        + "kernel/drivers/scsi/sd_mod.ko\n"
    }
    assert initrd_drivers.plan(machine(archive(TOOLS), builtin), Options()) is None


def test_what_cannot_be_mended_is_said() -> None:
    lzo = initrd_drivers.plan(machine(b"\x89LZO\x00\r\n\x1a\n"), Options())
    assert lzo is not None
    assert lzo.cannot == (f"/{INITRD}: the initrd is packed with lzo, which is not read",)
    old = Kernel(version="2.6.18", path="boot/vmlinuz", modules=FOLDER, initrd=Initrd(path=INITRD, size=1))
    without = initrd_drivers.plan(machine(archive(TOOLS), kernel=old), Options())
    assert without is not None
    assert without.cannot == ("the kernel 2.6.18 has no virtio_pci and no virtio_blk: give it SATA disks instead",)
    stranger = initrd_drivers.plan(machine(archive({"linuxrc": b"#!/bin/nash"})), Options())
    assert stranger is not None
    assert stranger.cannot == (f"/{INITRD}: its maker is unknown; if it loads a fixed list, use SATA disks",)
    alone = initrd_drivers.plan(machine(b"", kernel=Kernel(version="6.1", path="boot/vmlinuz")), Options())
    assert alone is not None
    rescue = Kernel(version="0-rescue-1", path="boot/vmlinuz", initrd=Initrd(path=INITRD, size=1))
    unknown = initrd_drivers.plan(machine(b"", kernel=rescue), Options())
    assert unknown is not None
    assert unknown.cannot == (f"/{INITRD} lacks drivers, and the modules of its kernel (0-rescue-1) are not there",)
    ready = replace(rescue, initrd=Initrd(path=INITRD, size=1, modules=("virtio_pci", "virtio_blk")))
    assert initrd_drivers.plan(machine(b"", kernel=ready), Options()) is None
    assert alone.cannot == ("/boot/vmlinuz has no initrd, and not all drivers that it needs are part of it",)


@pytest.mark.skipif(shutil.which("modprobe", path="/usr/sbin:/sbin:/usr/bin") is None, reason="no kmod")
@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio")
def test_kmod_finds_its_way_in_an_initrd_that_was_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Names that the kernel here cannot have loaded: modprobe leaves out those.
    monkeypatch.setitem(survey.DRIVERS, "test", ("test_blk",))
    names = {"virtio_blk": "test_blk", "virtio_ring": "test_ring", "virtio.ko": "test.ko"}
    dependencies, aliases = DEPENDENCIES, ALIASES
    for old, new in names.items():
        dependencies, aliases = dependencies.replace(old, new), aliases.replace(old, new)
    more: dict[str, Content] = {f"{FOLDER}/modules.dep": dependencies, f"{FOLDER}/modules.alias": aliases}
    for line in dependencies.splitlines():
        more[f"{FOLDER}/{line.partition(':')[0]}"] = lzma.compress(b"\x7fELF")
    before = machine(archive(TOOLS), more)
    fix = initrd_drivers.plan(before, Options(hosts=("test",)))
    assert fix is not None
    (appended,) = fix.changes
    assert isinstance(appended, Append)
    for part in (archive(TOOLS), gzip.decompress(appended.content)):
        subprocess.run(["cpio", "-idu", "--quiet"], input=part, cwd=tmp_path, check=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    argv = ["modprobe", "-d", str(tmp_path), "-S", VERSION, "--show-depends", "virtio:d00000002v00001AF4"]
    environment = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
    shown = subprocess.run(argv, capture_output=True, check=True, env=environment).stdout.decode().splitlines()
    assert [line.strip().rpartition("/")[2] for line in shown] == ["test.ko", "test_ring.ko", "test_blk.ko"]
