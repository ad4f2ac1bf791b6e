"""Growing: the disk, its table, the last partition, and the file system in it."""

import os
from pathlib import Path

import pytest

import lvm_disk
from jeos.convert import resize
from jeos.convert.inspect import inspect
from jeos.core.errors import HostError, UsageError
from jeos.core.run import run
from jeos.disk.blocks import File, Memory
from jeos.disk.filesystems import base
from jeos.disk.filesystems.detect import open_filesystem
from jeos.disk.volumes import layout

MEBIBYTE = 1 << 20
BOOT_CODE = b"\xeb\x63boot code".ljust(440, b"\x90")


def make(place: Path, table: str, *, size: int, mkfs: tuple[str, ...] = (), offset: int = MEBIBYTE) -> Path:
    """Make a disk with boot code, a table, and a file system in its last partition."""
    place.touch()
    os.truncate(place, size)
    if table:
        run(["sfdisk", "-q", place], stdin=table.encode())
        with place.open("r+b") as disk:
            disk.write(BOOT_CODE)
    if mkfs:
        with File(place) as disk:
            last = max(layout.read([disk]).volumes, key=lambda volume: volume.pieces[0].start)
        alone = place.with_name("alone")
        alone.touch()
        os.truncate(alone, last.pieces[0].size)
        run([*mkfs, alone])
        run(["dd", f"if={alone}", f"of={place}", "bs=1M", f"seek={last.pieces[0].start >> 20}", "conv=notrunc,sparse"])
    return place


EXT = ("mke2fs", "-q", "-t", "ext4", "-O", "^resize_inode")


@pytest.mark.parametrize(
    ("table", "number"),
    [
        ("label: gpt\nsize=8M, type=U\ntype=L\n", 2),
        ("label: dos\nsize=8M, type=82\ntype=83, bootable\n", 2),
    ],
)
def test_partition_and_file_system_grow(table: str, number: int, tmp_path: Path) -> None:
    disk = make(tmp_path / "disk", table, size=64 * MEBIBYTE, mkfs=EXT)
    notes = resize.grow(disk, size=200 * MEBIBYTE - 5)
    assert notes[0] == "the disk has 200 MiB now"
    assert notes[2] == f"the ext4 on sda{number} fills it"
    run(["sfdisk", "--verify", disk])
    if "gpt" in table:
        assert "No problems found" in run(["sgdisk", "--verify", disk]).text
    with File(disk) as file:
        assert file.read(0, 440) == BOOT_CODE
        volume = layout.read([file]).volumes[number - 1]
        assert volume.pieces[0].start + volume.pieces[0].size > 198 * MEBIBYTE
        filesystem = open_filesystem(volume.blocks)
        assert isinstance(filesystem, base.Measured) and filesystem.usage().size > 170 * MEBIBYTE
        place = volume.pieces[0].start
    run(["e2fsck", "-f", "-n", f"{disk}?offset={place}"])


@pytest.mark.root
@pytest.mark.parametrize(("kind", "size"), [("xfs", 320), ("btrfs", 200)])
def test_file_systems_of_the_kernel_grow(kind: str, size: int, tmp_path: Path) -> None:
    disk = make(tmp_path / "disk", "label: gpt\ntype=L\n", size=(size + 2) * MEBIBYTE, mkfs=(f"mkfs.{kind}", "-q"))
    notes = resize.grow(disk, size=900 * MEBIBYTE)
    assert notes[-1] == f"the {kind} on sda1 fills it"
    alone = tmp_path / "alone"
    run(["dd", f"if={disk}", f"of={alone}", "bs=1M", "skip=1", "conv=sparse"])
    os.truncate(alone, 899 * MEBIBYTE)
    if kind == "xfs":
        run(["xfs_repair", "-n", alone])
        with File(alone) as file:
            filesystem = open_filesystem(file)
            assert isinstance(filesystem, base.Measured) and filesystem.usage().size > 800 * MEBIBYTE
    else:
        shown = run(["btrfs", "inspect-internal", "dump-super", alone]).text
        total = next(int(line.split()[1]) for line in shown.splitlines() if line.startswith("total_bytes"))
        assert total > 890 * MEBIBYTE


def test_disk_without_a_table_grows(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    run([*EXT, disk, "32m"])
    assert resize.grow(disk, size=64 * MEBIBYTE) == ("the disk has 64 MiB now", "the ext4 on sda fills it")
    run(["e2fsck", "-f", "-n", disk])


def test_what_cannot_grow_is_said(tmp_path: Path) -> None:
    swap = make(tmp_path / "swap", "label: dos\nsize=8M, type=83\ntype=82\n", size=32 * MEBIBYTE)
    assert resize.grow(swap, size=64 * MEBIBYTE)[1] == "no partition was made larger: the last one, sda2, is swap"
    empty = make(tmp_path / "empty", "label: gpt\n", size=32 * MEBIBYTE)
    assert resize.grow(empty, size=64 * MEBIBYTE)[1] == "no partition was made larger: there is none"
    assert resize.grow(swap, size=64 * MEBIBYTE) == ()


def test_nothing_becomes_smaller() -> None:
    with pytest.raises(UsageError, match="is less than the disk has, 2 MiB"):
        resize.check(MEBIBYTE, found=inspect([Memory(bytes(2 * MEBIBYTE))]))


def test_what_only_root_can_grow_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = make(tmp_path / "disk", "label: gpt\ntype=L\n", size=330 * MEBIBYTE, mkfs=("mkfs.xfs", "-q"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with File(disk) as file, pytest.raises(HostError, match="mounts them for root only"):
        resize.check(900 * MEBIBYTE, found=inspect([file]))


@pytest.mark.root
@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("label: gpt\nsize=8M, type=U\ntype=V\n", "sda2"),
        ("label: dos\nsize=8M, type=83, bootable\ntype=5\ntype=8e\n", "sda5"),
    ],
)
@pytest.mark.parametrize("order", [("swap", "root"), ("root", "swap")])
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_logical_volume_with_the_root_grows(
    order: tuple[str, str], table: str, name: str, kind: str, tmp_path: Path
) -> None:
    """Whether the root is the last of the volumes, or its new part lies behind another; LVM itself looks at it then."""
    sizes = {"root": 320 * MEBIBYTE, "swap": 16 * MEBIBYTE}
    disk = make(tmp_path / "disk", table, size=360 * MEBIBYTE)
    place = lvm_disk.partition(disk, name)
    lvm_disk.create(disk, place, volumes=[(one, sizes[one]) for one in order])
    before = lvm_disk.ask(disk, place)
    content = tmp_path / "content"
    content.touch()
    os.truncate(content, sizes["root"])
    run(["mkfs.xfs", "-q", content] if kind == "xfs" else [*EXT, content])
    lvm_disk.write(disk, "vg0/root", content)
    notes = resize.grow(disk, size=900 * MEBIBYTE, root="vg0/root")
    assert notes[0] == "the disk has 900 MiB now"
    grown = lvm_disk.partition(disk, name)
    assert notes[1] == f"the partition {name} has {grown.size >> 20} MiB now" and grown.size > 880 * MEBIBYTE
    with File(disk) as file:
        root = next(volume for volume in layout.read([file]).volumes if volume.name == "vg0/root")
        size = root.blocks.size
        filesystem = open_filesystem(root.blocks)
        assert isinstance(filesystem, base.Measured) and filesystem.usage().size > 750 * MEBIBYTE
    assert size > grown.size - sizes["swap"] - before["free"] - 8 * MEBIBYTE
    assert notes[2:] == (f"the logical volume vg0/root has {size >> 20} MiB now", f"the {kind} on vg0/root fills it")
    said = lvm_disk.ask(disk, grown)
    assert said == {"root": size, "swap": sizes["swap"], "free": before["free"], "device": grown.size}
    alone = lvm_disk.read(disk, "vg0/root", tmp_path / "alone")
    run(["xfs_repair", "-n", alone] if kind == "xfs" else ["e2fsck", "-f", "-n", alone])
    again = resize.grow(disk, size=1000 * MEBIBYTE, root="vg0/root")  # its description is in another place now
    assert again[3] == f"the {kind} on vg0/root fills it"
    assert lvm_disk.ask(disk, lvm_disk.partition(disk, name))["root"] > size + 90 * MEBIBYTE


@pytest.mark.root
@pytest.mark.parametrize(
    ("options", "root", "why"),
    [
        ((), "sda1", "the system's root is on no logical volume"),
        ((), "other/root", "the group other is not described on it"),
        (("--pvmetadatacopies", "2"), "vg0/root", "it has a second copy of the group's description"),
    ],
)
def test_what_lvm_must_do_itself_is_said(options: tuple[str, ...], root: str, why: str, tmp_path: Path) -> None:
    disk = make(tmp_path / "disk", "label: gpt\ntype=V\n", size=64 * MEBIBYTE)
    lvm_disk.create(disk, lvm_disk.partition(disk, "sda1"), volumes=[("root", 16 * MEBIBYTE)], options=options)
    notes = resize.grow(disk, size=128 * MEBIBYTE, root=root)
    which = root if "/" in root else "GROUP/VOLUME"
    assert notes[2:] == (
        f"the physical volume on sda1 was not made larger ({why}); in the machine, `pvresize` with its device and "
        f"`lvextend --resizefs --extents +100%FREE {which}` do it",
    )
    assert lvm_disk.ask(disk, lvm_disk.partition(disk, "sda1"))["root"] == 16 * MEBIBYTE
