"""Changes to the machine's paths, brought to its file systems: what goes where, and that it is there afterwards."""

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from jeos.convert import apply
from jeos.convert.apply import Part
from jeos.convert.changes import Append, Change, Link, Remove, Write
from jeos.convert.survey import Disk, Survey
from jeos.convert.survey import Volume as Surveyed
from jeos.convert.writers.base import Delete, Folder, Put, Symlink
from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk.blocks import File, Memory
from jeos.disk.filesystems import base
from jeos.disk.filesystems.detect import open_filesystem
from jeos.disk.root import Mounted, Root
from jeos.disk.volumes.base import Piece, Volume
from memory_filesystem import Content, MemoryFileSystem
from memory_filesystem import Link as LinkThere

MEBIBYTE = 1 << 20


def root(files: Mapping[str, Mapping[str, Content]], *, kinds: Mapping[str, str] | None = None) -> Root:
    """Return file systems by where they are mounted; volumes are called as these places."""
    kinds = kinds or {}
    return Root(
        [
            Mounted(where, MemoryFileSystem(content, kind=kinds.get(where, "ext4")), volume=where or "root")
            for where, content in files.items()
        ]
    )


MACHINE = root(
    {
        "": {
            "etc/fstab": "/dev/sda1 / ext4\n",
            "etc/os-release": LinkThere("../usr/lib/os-release"),
            "usr/lib/os-release": "ID=debian\n",
            "lib": LinkThere("usr/lib"),
        },
        "boot": {"initrd": b"abc" * 3000},
        "boot/efi": {"EFI/debian/grubx64.efi": b"MZ"},
    },
    kinds={"boot/efi": "vfat"},
)


def test_plan_follows_links_and_mounts() -> None:
    changes: list[Change] = [
        Write("etc/os-release", b"ID=new\n"),
        Write("lib/new/unit", b"[Unit]\n", mode=0o600),
        Append("boot/initrd", b"x" * 5000, align=512),
        Write("boot/efi/EFI/BOOT/BOOTX64.EFI", b"MZ"),
        Link("etc/mtab", "/proc/mounts"),
        Remove("etc/none"),
    ]
    initrd = (b"abc" * 3000).ljust(9216, b"\0") + b"x" * 5000
    assert apply.plan(MACHINE, changes) == (
        Part(
            "root",
            "ext4",
            edits=(
                Put("usr/lib/os-release", b"ID=new\n", exists=True),
                Folder("usr/lib/new"),
                Put("usr/lib/new/unit", b"[Unit]\n", mode=0o600),
                Symlink("etc/mtab", "/proc/mounts"),
            ),
            growth=4096,
        ),
        Part("boot", "ext4", edits=(Put("initrd", initrd, exists=True),), growth=4096),
        Part("boot/efi", "vfat", edits=(Folder("EFI/BOOT"), Put("EFI/BOOT/BOOTX64.EFI", b"MZ")), growth=4096),
    )


def test_plan_keeps_what_comes_last() -> None:
    changes: list[Change] = [
        Write("etc/fstab", b"one\n"),
        Append("etc/fstab", b"two\n"),
        Write("etc/new", b"x"),
        Remove("etc/new"),
        Remove("usr/lib/os-release"),
        Link("etc/os-release", "/dev/null"),
    ]
    assert apply.plan(MACHINE, changes) == (
        Part(
            "root",
            "ext4",
            edits=(
                Put("etc/fstab", b"one\ntwo\n", exists=True),
                Delete("usr/lib/os-release"),
                Symlink("etc/os-release", "/dev/null", exists=True),
            ),
        ),
    )


def test_plan_of_btrfs_starts_at_its_top() -> None:
    machine = Root(
        [
            Mounted("", MemoryFileSystem({"etc/fstab": "x"}, kind="btrfs"), volume="sda2", subvolume="@"),
            Mounted("home", MemoryFileSystem({"me/a": "x"}, kind="btrfs"), volume="sda2", subvolume="@home"),
        ]
    )
    changes = [Write("etc/fstab", b"y"), Write("home/me/b", b"z")]
    put = (Put("@/etc/fstab", b"y", exists=True), Put("@home/me/b", b"z"))
    assert apply.plan(machine, changes) == (Part("sda2", "btrfs", edits=put, growth=4096),)


def test_plan_gives_ntfs_the_changes_themselves() -> None:
    machine = root({"": {"Windows/System32/config/SYSTEM": b"regf"}}, kinds={"": "ntfs"})
    changes: list[Change] = [Write("windows/new.txt", b"abc"), Remove("Windows/old.txt")]
    assert apply.plan(machine, changes) == (
        Part("root", "ntfs", changes=(Write("Windows/new.txt", b"abc"), Remove("Windows/old.txt")), growth=3),
    )


def test_plan_makes_no_file_of_a_folder() -> None:
    with pytest.raises(InputError, match="etc"):
        apply.plan(MACHINE, [Write("etc", b"x")])


def survey(*, used: int) -> Survey:
    volume = Surveyed(name="root", kind="partition", size=100 * MEBIBYTE, used=used)
    return Survey(disks=(Disk("sda", 100 * MEBIBYTE),), volumes=(volume,))


def test_check_says_where_room_is_missing() -> None:
    part = Part("root", "ext4", growth=10 * MEBIBYTE)
    apply.check([part], survey(used=89 * MEBIBYTE))
    with pytest.raises(InputError, match="on root has 10 MiB left, and the fixes need 11 MiB more"):
        apply.check([part], survey(used=90 * MEBIBYTE))


def test_apply_to_a_volume_whose_parts_lie_apart(tmp_path: Path) -> None:
    """Two parts on one disk, in the wrong order, and one on another; what lies between them stays."""
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/fstab").write_text("/dev/mapper/vg0-root / ext4\n")
    (tree / "big").write_bytes(random.Random(1).randbytes(9 * MEBIBYTE))
    image = tmp_path / "image"
    run(["mke2fs", "-q", "-t", "ext4", "-d", tree, image, "24m"])
    whole = image.read_bytes()
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"a" * MEBIBYTE + whole[8 * MEBIBYTE : 16 * MEBIBYTE] + b"b" * MEBIBYTE + whole[: 8 * MEBIBYTE])
    two.write_bytes(b"c" * 512 + whole[16 * MEBIBYTE :])
    pieces = (
        Piece(0, 10 * MEBIBYTE, 8 * MEBIBYTE),
        Piece(0, MEBIBYTE, 8 * MEBIBYTE),
        Piece(1, 512, 8 * MEBIBYTE),
    )
    volume = Volume("vg0/root", "logical", Memory(whole), pieces)
    new = os.urandom(7 * MEBIBYTE)
    part = Part("vg0/root", "ext4", edits=(Put("etc/fstab", b"UUID=1 /\n", exists=True), Put("etc/new", new)))
    apply.apply([part], {"vg0/root": volume}, disks=[one, two])
    first, second = one.read_bytes(), two.read_bytes()
    assert (first[:MEBIBYTE], first[9 * MEBIBYTE : 10 * MEBIBYTE]) == (b"a" * MEBIBYTE, b"b" * MEBIBYTE)
    assert second[:512] == b"c" * 512
    image.write_bytes(first[10 * MEBIBYTE :] + first[MEBIBYTE : 9 * MEBIBYTE] + second[512:])
    run(["e2fsck", "-f", "-n", image])
    with File(image) as disk:
        filesystem = open_filesystem(disk)
        assert base.read_file(filesystem, "etc/fstab") == b"UUID=1 /\n"
        assert base.read_file(filesystem, "etc/new") == new
        assert base.read_file(filesystem, "big") == (tree / "big").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image", "one", "tree", "two"]


def test_apply_reads_back_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "image"
    run(["mke2fs", "-q", "-t", "ext4", image, "8m"])
    volume = Volume("sda1", "disk", Memory(b""), (Piece(0, 0, 8 * MEBIBYTE),))
    for wrong in (Put("file", b"x"), Symlink("file", "x"), Folder("file"), Delete("lost+found")):
        part = Part("sda1", "ext4", edits=(wrong,))
        with monkeypatch.context() as patched:
            patched.setattr("jeos.convert.writers.ext.edit", lambda *_, **__: None)
            with pytest.raises(InputError, match="is not what was written"):
                apply.apply([part], {"sda1": volume}, disks=[image])


@pytest.mark.root
def test_apply_to_a_subvolume_that_is_mounted_unasked(tmp_path: Path) -> None:
    """Debian and SUSE make one the default, so that what is mounted is not the top."""
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    mounted.mkdir()
    image.touch()
    os.truncate(image, 200 * MEBIBYTE)
    run(["mkfs.btrfs", "-q", image])
    script = (
        'mount -o loop "$1" "$2" && btrfs subvolume create "$2/@" && btrfs subvolume set-default "$2/@" '
        '&& mkdir "$2/@/etc" && echo old > "$2/@/etc/fstab" && umount "$2"'
    )
    run(["unshare", "--mount", "sh", "-c", script, "sh", image, mounted])
    with File(image) as disk:
        machine = Root([Mounted("", open_filesystem(disk), volume="sda", subvolume="@")])
        parts = apply.plan(machine, [Write("etc/fstab", b"new"), Write("etc/a/b", b"x")])
        edits = (Put("@/etc/fstab", b"new", exists=True), Folder("@/etc/a"), Put("@/etc/a/b", b"x"))
        assert parts == (Part("sda", "btrfs", edits=edits, growth=4096),)
        size = disk.size
    apply.apply(parts, {"sda": Volume("sda", "disk", Memory(b""), (Piece(0, 0, size),))}, disks=[image])
    run(["btrfs", "check", "--readonly", image])
    with File(image) as disk:
        filesystem = open_filesystem(disk)
        assert (base.read_file(filesystem, "etc/fstab"), base.read_file(filesystem, "etc/a/b")) == (b"new", b"x")
