"""Disks of foreign machines, written without GRUB's installer, device mapper or the kernel's partition scanning.

    make(LEGACY, base, place=Path("legacy.raw"))

Sources: GNU GRUB's grub-core/boot/i386/pc/{boot,diskboot}.S, whose defaults are that the core follows the boot sector.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foreign_machine import Foreign
from jeos.disk import blocks

MEBIBYTE = 1 << 20
SECTOR = 512
BOOT_CODE = 440  # bytes of the first sector before the disk's signature and the partitions
DISK = 1200 * MEBIBYTE
SWAP = 64 * MEBIBYTE
ESP_SIZE = 64 * MEBIBYTE
EXTENT = 4 * MEBIBYTE  # LVM's default
FIRST = MEBIBYTE  # where the first partition starts
BIOS_MODULES = ("biosdisk", "part_msdos", "ext2", "xfs", "normal")
EFI_MODULES = ("part_gpt", "lvm", "ext2", "fat", "normal", "linux", "search", "gzio", "echo", "configfile", "all_video")
LVM_CONF = """\
devices { scan = "/dev" use_devicesfile = 0 hints = "none" obtain_device_list_from_udev = 0 }
backup { backup = 0 archive = 0 }
global { locking_dir = "%s" event_activation = 0 }
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
"""


def make(machine: Foreign, base: Path, *, place: Path, size: int = DISK) -> Path:
    """Write a machine's disk as a raw file, sparse."""
    with machine.tree(base) as tree, place.open("wb") as disk:
        disk.truncate(size)
        disk.close()
        if machine.firmware == "uefi":
            _uefi(machine, tree, place, disk_size=size)
        else:
            _bios(machine, tree, place, disk_size=size)
    return place


def _bios(machine: Foreign, tree: Path, place: Path, *, disk_size: int) -> None:
    root = disk_size - FIRST - SWAP
    table = f"label: dos\nstart={FIRST // SECTOR}, size={root // SECTOR}, type=83, bootable\ntype=82\n"
    _run("sfdisk", "-q", place, stdin=table)
    _swap(place, offset=FIRST + root)
    _file_system(machine, tree, place, offset=FIRST, size=root)
    boot = (tree / "usr/lib/grub/i386-pc/boot.img").read_bytes()
    core = machine.grub_image(tree, "hd0,msdos1", *BIOS_MODULES)
    assert len(core) < FIRST - SECTOR
    with place.open("r+b") as disk:
        disk.write(boot[:BOOT_CODE])
        disk.seek(SECTOR)
        disk.write(core)


def _file_system(machine: Foreign, tree: Path, place: Path, *, offset: int, size: int) -> None:
    if machine.filesystem == "xfs":
        with loop(place, offset=offset, size=size) as device, tempfile.TemporaryDirectory() as mounted:
            # Without what Debian 12's GRUB cannot read.
            _run("mkfs.xfs", "-q", "-m", f"uuid={machine.uuid},bigtime=0,inobtcount=0", "-i", "nrext64=0", device)
            copy = 'mount "$1" "$2" && cp -a "$3/." "$2"'  # the mount goes with its namespace
            _run("unshare", "--mount", "sh", "-c", copy, "sh", device, mounted, tree)
        return
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mke2fs.conf"  # this host's may have features that Debian 12's GRUB cannot read
        config.write_text(
            "[defaults]\nbase_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr\n"
            "inode_size = 256\n[fs_types]\next4 = {\nfeatures = has_journal,extent,huge_file,flex_bg,64bit,"
            "metadata_csum,dir_nlink,extra_isize\n}\n"
        )
        _run(
            *("mke2fs", "-q", "-t", "ext4", "-U", machine.uuid, "-d", tree, "-E", f"offset={offset}"),
            *(place, f"{size // 1024}k"),
            env={"MKE2FS_CONFIG": str(config)},
        )


def _uefi(machine: Foreign, tree: Path, place: Path, *, disk_size: int) -> None:
    start = FIRST + ESP_SIZE
    size = disk_size - start - MEBIBYTE  # the end is the table's copy
    table = (
        f"label: gpt\nstart={FIRST // SECTOR}, size={ESP_SIZE // SECTOR}, type=U\n"
        f"start={start // SECTOR}, size={size // SECTOR}, type=V\n"
    )
    _run("sfdisk", "-q", place, stdin=table)
    root = 900 * MEBIBYTE
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        image = Path(folder) / "root"
        image.touch()
        os.truncate(image, root)
        _file_system(machine, tree, image, offset=0, size=root)
        with loop(place, offset=start, size=size) as device:
            parts, swap = _volumes(device, root=root, folder=Path(folder))
        _swap(place, offset=start + swap)
        for position, begin, length in parts:
            _copy_sparse(image, place, position=position, target=start + begin, length=length)
        esp = Path(folder) / "esp"
        _run("mkfs.vfat", "-C", "-F", "32", "-n", "ESP", esp, str(ESP_SIZE // 1024))
        loader = Path(folder) / "grubx64.efi"
        loader.write_bytes(machine.grub_image(tree, "lvm/vg0-root", *EFI_MODULES))
        # Under its distribution's name alone: firmware finds it by a variable, and a new machine has no variables.
        _run("mmd", "-i", esp, "::/EFI", "::/EFI/debian")
        _run("mcopy", "-i", esp, loader, "::/EFI/debian/grubx64.efi")
        _copy_sparse(esp, place, position=0, target=FIRST, length=ESP_SIZE)


def _volumes(device: str, *, root: int, folder: Path) -> tuple[list[tuple[int, int, int]], int]:
    """Make a group with a swap volume between two parts of the root's.

    Returns where the parts of the root are (offsets in it and in the physical volume, bytes), and where the swap is.
    """
    system = folder / "lvm"
    system.mkdir()
    (system / "lvm.conf").write_text(LVM_CONF % system)
    env = {"LVM_SYSTEM_DIR": str(system), "LVM_SUPPRESS_FD_WARNINGS": "1"}
    only = ["--driverloaded", "n", "--config", f'devices {{ filter = ["a|^{device}$|", "r|.*|"] }}']
    inactive = ["-an", "-Zn", "-Wn"]
    first = root // 2 // EXTENT
    _run("pvcreate", "-q", *only, device, env=env)
    _run("vgcreate", "-q", *only, "vg0", device, env=env)
    _run("lvcreate", "-q", *only, *inactive, "-n", "root", "-l", str(first), "vg0", env=env)
    _run("lvcreate", "-q", *only, *inactive, "-n", "swap", "-L", f"{SWAP}b", "vg0", env=env)
    _run("lvextend", "-q", *only, "-l", str(root // EXTENT), "vg0/root", env=env)
    shown = _run(
        *("lvs", *only, "--noheadings", "--units", "b", "--nosuffix", "--segments"),
        *("-o", "seg_start,seg_size,seg_pe_ranges", "vg0/root"),
        env=env,
    )
    begin = int(_run("pvs", *only, "--noheadings", "--units", "b", "--nosuffix", "-o", "pe_start", env=env))
    parts = []
    for line in shown.strip().splitlines():
        position, size, extents = line.split()
        found = re.search(r":(\d+)-", extents)
        assert found
        parts.append((int(position), begin + int(found[1]) * EXTENT, int(size)))
    assert len(parts) == 2
    swap = _run("lvs", *only, "--noheadings", "--segments", "-o", "seg_pe_ranges", "vg0/swap", env=env)
    found = re.search(r":(\d+)-", swap)
    assert found
    return parts, begin + int(found[1]) * EXTENT


def _swap(place: Path, *, offset: int) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        area = Path(folder) / "swap"
        with area.open("wb") as file:
            file.truncate(SWAP)
        area.chmod(0o600)
        _run("mkswap", area)
        _copy_sparse(area, place, position=0, target=offset, length=SWAP)


def _copy_sparse(source: Path, place: Path, *, position: int, target: int, length: int) -> None:
    with blocks.File(source) as image, place.open("r+b") as disk:
        for offset, content in blocks.pieces(blocks.Window(image, start=position, size=length)):
            disk.seek(target + offset)
            disk.write(content)


@contextmanager
def loop(place: Path, *, offset: int, size: int) -> Iterator[str]:
    """Yield a loop device over a part of a file."""
    device = _run("losetup", "--show", "-f", f"--offset={offset}", f"--sizelimit={size}", place).strip()
    try:
        yield device
    finally:
        _run("losetup", "-d", device)


def _run(*argv: str | Path, stdin: str = "", env: dict[str, str] | None = None) -> str:
    program = shutil.which(str(argv[0]), path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program, f"{argv[0]} is not installed"
    words: Sequence[str] = [program, *(str(word) for word in argv[1:])]
    done = subprocess.run(
        words, input=stdin, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout
