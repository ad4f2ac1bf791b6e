"""Initrds that Debian's own generators made, without virtio's drivers: their own kmod finds what was appended."""

import gzip
import subprocess
from pathlib import Path

import pytest

from jeos.build import sources
from jeos.convert.adapt import initrd_drivers
from jeos.convert.changes import Append
from jeos.convert.inspect import inspect
from jeos.convert.machine import Options
from jeos.disk.blocks import File
from jeos.model.recipe import Recipe
from soak import LONG

# Run in the tree, with a kernel installed: an initrd as on a machine that has no virtio.
GENERATORS = {
    "initramfs-tools": """\
set -e
mkdir /tmp/it && cp -r /etc/initramfs-tools/. /tmp/it
sed -i 's/^MODULES=.*/MODULES=list/' /tmp/it/initramfs.conf
printf 'ext4\\nsd_mod\\n' > /tmp/it/modules
mkinitramfs -d /tmp/it -o "$2" "$1"
""",
    "dracut": """\
set -e
dracut --quiet --force --no-hostonly --omit-drivers "virtio_blk virtio_scsi virtio_pci" "$2" "$1"
""",
}


def tree(folder: Path, *, suite: str, generator: str) -> Path:
    """Install a Debian with a kernel, and have its generator make the initrd anew; 40 to 80 CPU seconds."""
    place = folder / "tree"
    found = sources.repositories(Recipe(name="real", version="1", suite=suite), folder=folder)
    mirrors = [f"deb {one.url} {name} {' '.join(one.components)}" for one in found for name in one.suites]
    packages = f"linux-image-amd64,systemd-sysv,udev,kmod,zstd,{generator}"
    options = ["--quiet", "--mode=root", "--variant=minbase", "--format=directory", f"--include={packages}"]
    subprocess.run(["mmdebstrap", *options, suite, place, *mirrors], check=True)
    (version,) = [path.name for path in (place / "usr/lib/modules").iterdir()]
    make: list[str | Path] = [
        "chroot",
        place,
        "sh",
        "-c",
        GENERATORS[generator],
        "sh",
        version,
        f"/boot/initrd.img-{version}",
    ]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    return place


@pytest.mark.root
@pytest.mark.network
@pytest.mark.parametrize(
    ("suite", "generator"),
    [("bookworm", "initramfs-tools"), pytest.param("trixie", "dracut", marks=LONG)],
)
def test_kmod_of_a_real_initrd_finds_what_was_appended(tmp_path: Path, suite: str, generator: str) -> None:
    place = tree(tmp_path, suite=suite, generator=generator)
    disk = tmp_path / "disk.raw"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", place, disk, "2G"], check=True)
    with File(disk) as blocks:
        (machine,) = inspect([blocks]).machines()
        (kernel,) = machine.system.kernels
        assert kernel.initrd is not None
        assert (kernel.initrd.generator, kernel.starts_on("virtio")) == (generator, False)
        fix = initrd_drivers.plan(machine, Options())
    assert fix is not None
    appended = fix.changes[0]
    assert isinstance(appended, Append)

    initrd = tmp_path / "initrd"
    initrd.mkdir()
    packed = (place / kernel.initrd.path).read_bytes()
    bare = subprocess.run(["zstd", "-dc"], input=packed, capture_output=True, check=True).stdout
    for part in (bare, gzip.decompress(appended.content)):
        subprocess.run(["cpio", "-idu", "--quiet"], input=part, cwd=initrd, check=True)

    def shown(name: str) -> list[str]:
        # There is no /sys in it, so that kmod does not know what the kernel here has loaded.
        argv: list[str | Path] = ["chroot", initrd, "modprobe", "-S", kernel.version, "--show-depends", name]
        lines = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.splitlines()
        return [line.split()[1].rpartition("/")[2] for line in lines if line.startswith("insmod")]

    assert shown("virtio_blk")[-1] == "virtio_blk.ko"
    assert shown("virtio_scsi")[-1] == "virtio_scsi.ko"
    assert shown("virtio:d00000002v00001AF4") == shown("virtio_blk")
    assert shown("ext4")[-1].startswith("ext4.ko")  # what was there is found as before
    if "virtio_pci" not in kernel.builtin:  # as in Debian 12
        assert shown("pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00") == shown("virtio_pci")
        assert {"virtio.ko", "virtio_ring.ko", "virtio_pci.ko"} < set(shown("virtio_pci"))
