"""Every writer, held to the same: what it is told is what independent readers find, and the rest of the disk stays."""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from jeos.convert.writers import WRITERS, writer_for
from jeos.convert.writers.base import Delete, Edit, Folder, Place, Put, Symlink
from jeos.core.errors import HostError, InputError, ProcessError
from jeos.core.run import run
from jeos.disk import blocks
from jeos.disk.filesystems.detect import open_filesystem
from jeos.model.tree import Kind

MEBIBYTE = 1 << 20
OFFSET = MEBIBYTE
BIG = random.Random(2).randbytes(3 * MEBIBYTE + 17)
ROOT = pytest.mark.root

FIRST: tuple[Edit, ...] = (
    Folder("etc"),
    Folder("etc/a folder", mode=0o700),
    Put("etc/fstab", b"/dev/sda1 / ext4\n", mode=0o600, uid=7, gid=70_000),
    Put("etc/a folder/it's \xe9.conf", b"old"),
    Put("etc/big", BIG),
    Put("etc/gone", b"x"),
)
LINKS: tuple[Edit, ...] = (Symlink("etc/mtab", "../proc/self/mounts"), Put("etc/unit", b"[Unit]\n"))
SECOND: tuple[Edit, ...] = (
    Put("etc/fstab", b"UUID=1 / ext4\n" * 1000, mode=0o640, uid=7, gid=70_000, exists=True),
    Put("etc/a folder/it's \xe9.conf", b"", exists=True),
    Put("etc/big", BIG[:-1000] + bytes(3000), exists=True),
    Delete("etc/gone"),
)
RELINKED: tuple[Edit, ...] = (Symlink("etc/unit", "/dev/null", exists=True),)


@dataclass(frozen=True)
class Case:
    """A kind of file system: how it is made, of what size, and what says that it is in order."""

    kind: str
    make: Sequence[str]
    check: Callable[[Path], object]
    size: int = 16 * MEBIBYTE
    unix: bool = True


def _fsck(image: Path) -> None:
    run(["e2fsck", "-f", "-n", image])


CASES = [
    Case("ext2", ("mke2fs", "-q", "-t", "ext2"), _fsck),
    Case("ext3", ("mke2fs", "-q", "-t", "ext3"), _fsck),
    Case("ext4", ("mke2fs", "-q", "-t", "ext4"), _fsck),
    Case("vfat", ("mkfs.vfat", "-F", "32"), lambda image: run(["fsck.vfat", "-n", image]), 40 * MEBIBYTE, unix=False),
    Case("xfs", ("mkfs.xfs", "-q"), lambda image: run(["xfs_repair", "-n", image]), 320 * MEBIBYTE),
    Case("btrfs", ("mkfs.btrfs", "-q"), lambda image: run(["btrfs", "check", "--readonly", image]), 120 * MEBIBYTE),
]
MOUNTED = ("xfs", "btrfs")


@pytest.fixture(params=[pytest.param(case, id=case.kind, marks=ROOT if case.kind in MOUNTED else ()) for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    if found.kind in MOUNTED and os.geteuid() != 0:
        pytest.skip("needs to be root")
    return found


@pytest.fixture
def place(case: Case, tmp_path: Path) -> Place:
    """Return an empty file system in the middle of a disk; what is around it is not zeros."""
    alone, disk = tmp_path / "alone", tmp_path / "disk"
    alone.touch()
    os.truncate(alone, case.size)
    run([*case.make, alone])
    with disk.open("wb") as out, blocks.File(alone) as source:
        out.write(b"before" * (OFFSET // 6) + b"....")
        for at, content in blocks.pieces(source):
            out.seek(OFFSET + at)
            out.write(content)
        out.seek(OFFSET + case.size)
        out.write(b"after" * 1000)
    return Place(disk, offset=OFFSET, size=case.size)


def cut_out(place: Place, tmp_path: Path) -> Path:
    """Return the file system as a file of its own, after looking at what is around it."""
    alone = tmp_path / "alone"
    with blocks.File(place.path) as disk, alone.open("wb") as out:
        assert disk.read(0, OFFSET) == b"before" * (OFFSET // 6) + b"...."
        assert disk.read(OFFSET + place.size, 5000) == b"after" * 1000
        assert disk.size == OFFSET + place.size + 5000
        out.truncate(place.size)
        for at, content in blocks.pieces(blocks.Window(disk, start=OFFSET, size=place.size)):
            out.seek(at)
            out.write(content)
    return alone


def files(place: Place) -> dict[str, object]:
    """Return what our own reader finds: content and rights of files, targets of links, None for folders."""
    found: dict[str, object] = {}
    with blocks.File(place.path) as disk:
        filesystem = open_filesystem(blocks.Window(disk, start=place.offset, size=place.size))
        folders = [("", filesystem.root())]
        while folders:
            path, folder = folders.pop()
            for name, node in filesystem.children(folder):
                below = f"{path}/{name}".lstrip("/")
                if name == "lost+found":
                    continue
                if node.kind is Kind.DIRECTORY:
                    found[below] = None
                    folders.append((below, node))
                elif node.kind is Kind.SYMLINK:
                    found[below] = node.target
                else:
                    rights = () if filesystem.kind == "vfat" else (node.mode, node.uid, node.gid)
                    found[below] = (filesystem.read(node), *rights)
    return found


def rights(case: Case, mode: int = 0o644, uid: int = 0, gid: int = 0) -> tuple[int, ...]:
    return (mode, uid, gid) if case.unix else ()


def readable(case: Case) -> None:
    """Skip where jeos has no reader for the kind yet."""
    try:
        __import__(f"jeos.disk.filesystems.{'ext4' if case.kind.startswith('ext') else case.kind}")
    except ModuleNotFoundError:
        pytest.skip(f"jeos does not read {case.kind}")


def test_writer_does_what_it_is_told(case: Case, place: Place, tmp_path: Path) -> None:
    readable(case)
    writer = writer_for(case.kind)
    writer.check_host()
    links = case.unix
    writer.edit(place, (*FIRST, *(LINKS if links else ())), kind=case.kind)
    case.check(cut_out(place, tmp_path))
    assert files(place) == {
        "etc": None,
        "etc/a folder": None,
        "etc/fstab": (b"/dev/sda1 / ext4\n", *rights(case, 0o600, 7, 70_000)),
        "etc/a folder/it's \xe9.conf": (b"old", *rights(case)),
        "etc/big": (BIG, *rights(case)),
        "etc/gone": (b"x", *rights(case)),
        **({"etc/mtab": "../proc/self/mounts", "etc/unit": (b"[Unit]\n", *rights(case))} if links else {}),
    }
    writer.edit(place, (*SECOND, *(RELINKED if links else ())), kind=case.kind)
    case.check(cut_out(place, tmp_path))
    assert files(place) == {
        "etc": None,
        "etc/a folder": None,
        "etc/fstab": (b"UUID=1 / ext4\n" * 1000, *rights(case, 0o640, 7, 70_000)),
        "etc/a folder/it's \xe9.conf": (b"", *rights(case)),
        "etc/big": (BIG[:-1000] + bytes(3000), *rights(case)),
        **({"etc/mtab": "../proc/self/mounts", "etc/unit": "/dev/null"} if links else {}),
    }


def test_writer_says_when_it_is_full(case: Case, place: Place) -> None:
    with pytest.raises((ProcessError, InputError)):
        writer_for(case.kind).edit(place, [Put("huge", os.urandom(case.size))], kind=case.kind)


def test_writer_says_what_is_not_there(case: Case, place: Place) -> None:
    for edit in (Delete("none"), Put("no/folder/file", b"x"), Folder("no/folder/below")):
        with pytest.raises((ProcessError, InputError)):
            writer_for(case.kind).edit(place, [edit], kind=case.kind)


@pytest.mark.parametrize("path", ["", "..", "a/../b", "/etc/fstab", "a//b", "new\nline", "nul\0"])
def test_writer_takes_no_path_that_leads_out(case: Case, place: Place, path: str) -> None:
    before = place.path.read_bytes()
    with pytest.raises(InputError, match="is no path"):
        writer_for(case.kind).edit(place, [Put(path, b"x")], kind=case.kind)
    assert place.path.read_bytes() == before


def test_writer_leaves_nothing_behind(case: Case, place: Place) -> None:
    writer_for(case.kind).edit(place, FIRST, kind=case.kind)
    assert sorted(path.name for path in place.path.parent.iterdir()) == ["alone", "disk"]
    assert str(place.path.parent) not in Path("/proc/mounts").read_text()
    assert str(place.path) not in run(["losetup", "--list", "--noheadings"]).text


def test_every_writer_is_tested() -> None:
    assert {case.kind for case in CASES} == set(WRITERS)


def test_kind_without_a_writer() -> None:
    with pytest.raises(InputError, match="cannot write to a file system of the kind f2fs"):
        writer_for("f2fs")


def test_mounting_takes_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match="mounts them for root only"):
        writer_for("xfs").check_host()
