"""Every reader of file systems sees what the file system's own tools, or the kernel, have written."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from filesystem_trees import Seen, expected, make_tree, seen
from jeos.core.errors import InputError
from jeos.disk.blocks import File, Memory
from jeos.disk.filesystems import base, vfat
from jeos.disk.filesystems.base import Measured
from jeos.disk.filesystems.detect import Found, detect, open_filesystem
from jeos.model.tree import Kind

UUID = "0b9c2c1e-5d2f-4f6b-9d44-2f8a6a5b7c10"


XFS_SIZE = 320 << 20  # mkfs.xfs makes none smaller than 300 MiB


def tool(*argv: str | Path) -> str:
    return subprocess.run([str(word) for word in argv], check=True, capture_output=True, text=True).stdout


def sized(image: Path, size: int) -> None:
    with image.open("wb") as file:
        file.truncate(size)


def with_mke2fs(*options: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, image: Path) -> None:
        sized(image, 64 << 20)
        tool("mke2fs", "-q", "-U", UUID, "-L", "label", *options, "-d", folder, image)

    return make


def mounted(*mkfs: str, size: int = 64 << 20, options: str = "loop") -> Callable[[Path, Path], None]:
    """Return a maker whose files the kernel writes."""

    def make(folder: Path, image: Path) -> None:
        sized(image, size)
        tool(*mkfs, image)
        place = image.with_suffix(".mount")
        place.mkdir()
        tool("mount", "-o", options, image, place)
        try:
            tool("cp", "-a", "--sparse=always", f"{folder}/.", place)
        finally:
            tool("umount", place)

    return make


def with_mkfs_btrfs(*options: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, image: Path) -> None:
        sized(image, BTRFS_SIZE)
        tool("mkfs.btrfs", "-q", "-U", UUID, "-L", "label", *options, "--rootdir", folder, image)

    return make


def with_mkfs_erofs(*options: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, image: Path) -> None:
        tool("mkfs.erofs", "-U", UUID, *options, image, folder)

    return make


def kernel_btrfs(packing: str) -> Callable[[Path, Path], None]:
    return mounted(
        *("mkfs.btrfs", "-q", "-U", UUID, "-L", "label"), size=BTRFS_SIZE, options=f"loop,compress-force={packing}"
    )


BTRFS_SIZE = 160 << 20
DEVICES = ("null", "disk")
WITHOUT_DEVICES = ("btrfs", "btrfs-small-nodes", "btrfs-mixed")  # mkfs.btrfs leaves out the numbers of devices
MAKERS: dict[str, tuple[str, Callable[[Path, Path], None], bool]] = {
    "ext4": ("ext4", with_mke2fs("-t", "ext4"), False),
    "ext4-1k-blocks": ("ext4", with_mke2fs("-t", "ext4", "-b", "1024"), False),
    "ext4-inline": ("ext4", with_mke2fs("-t", "ext4", "-O", "inline_data", "-I", "512"), False),
    "ext4-meta-groups": ("ext4", with_mke2fs("-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode"), False),
    "ext4-no-64bit": ("ext4", with_mke2fs("-t", "ext4", "-O", "^64bit,^metadata_csum,^flex_bg"), False),
    "ext4-bigalloc": ("ext4", with_mke2fs("-t", "ext4", "-O", "bigalloc", "-C", "16384", "-N", "8192"), False),
    "ext3": ("ext3", with_mke2fs("-t", "ext3"), False),
    "ext2-1k-blocks": ("ext2", with_mke2fs("-t", "ext2", "-b", "1024"), False),
    "ext2-small-inodes": ("ext2", with_mke2fs("-t", "ext2", "-I", "128"), False),
    "ext4-by-kernel": ("ext4", mounted("mkfs.ext4", "-q", "-U", UUID, "-L", "label"), True),
    "ext4-inline-by-kernel": (
        "ext4",
        mounted("mkfs.ext4", "-q", "-U", UUID, "-L", "label", "-O", "inline_data", "-I", "256"),
        True,
    ),
    "xfs": ("xfs", mounted("mkfs.xfs", "-q", "-m", f"uuid={UUID}", "-L", "label", size=XFS_SIZE), True),
    "xfs-small-blocks": (
        "xfs",
        mounted("mkfs.xfs", "-q", "-b", "size=1024", "-m", f"uuid={UUID}", "-L", "label", size=XFS_SIZE),
        True,
    ),
    "xfs-large-folders-big-times": (
        "xfs",
        mounted(
            *("mkfs.xfs", "-q", "-n", "size=16384", "-i", "size=1024", "-m", f"bigtime=1,uuid={UUID}", "-L", "label"),
            size=XFS_SIZE,
        ),
        True,
    ),
    "erofs": ("erofs", with_mkfs_erofs(), False),
    "erofs-extended-inodes": ("erofs", with_mkfs_erofs("-Eforce-inode-extended"), False),
    "btrfs": ("btrfs", with_mkfs_btrfs(), False),
    "btrfs-small-nodes": ("btrfs", with_mkfs_btrfs("--nodesize", "4096"), False),
    "btrfs-mixed": ("btrfs", with_mkfs_btrfs("--mixed"), False),
    "btrfs-by-kernel": ("btrfs", mounted("mkfs.btrfs", "-q", "-U", UUID, "-L", "label", size=BTRFS_SIZE), True),
    "btrfs-zlib": ("btrfs", kernel_btrfs("zlib"), True),
    "btrfs-lzo": ("btrfs", kernel_btrfs("lzo"), True),
    "btrfs-zstd": ("btrfs", kernel_btrfs("zstd"), True),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tree") / "tree"
    make_tree(place)
    return place


@pytest.fixture(scope="module")
def truth(folder: Path) -> dict[str, Seen]:
    return expected(folder)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.root] if MAKERS[name][2] else []) for name in MAKERS]
)
def test_reader_sees_what_was_written(name: str, folder: Path, truth: dict[str, Seen], tmp_path: Path) -> None:
    kind, make, _ = MAKERS[name]
    image = tmp_path / "image"
    make(folder, image)
    with File(image) as blocks:
        label = "" if kind == "erofs" else "label"  # mkfs.erofs 1.5 gives none
        assert detect(blocks) == Found(kind, UUID, label, readable=True)
        filesystem = open_filesystem(blocks)
        found = seen(filesystem)
        compared = [path for path in truth if path != "." and not (path in DEVICES and name in WITHOUT_DEVICES)]
        assert {path: found[path] for path in compared} == {path: truth[path] for path in compared}
        assert sorted(found) == sorted(truth)
        node = base.find(filesystem, "many/file-01197-with-a-name")
        assert filesystem.read(node) == b"1197"
        with pytest.raises(base.MissingFileError):
            base.find(filesystem, "many/file-1197")
        assert isinstance(filesystem, Measured)
        usage = filesystem.usage()
        assert 1 << 20 < usage.used <= usage.size <= blocks.size and usage.clean


@pytest.mark.parametrize("options", [("-t", "ext4"), ("-t", "ext2", "-b", "1024"), ("-t", "ext3")])
def test_usage_is_what_dumpe2fs_counts(options: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    with_mke2fs(*options)(folder, tmp_path / "image")
    said = dict(
        line.split(":", 1) for line in tool("dumpe2fs", "-h", tmp_path / "image").splitlines() if line.count(":") == 1
    )
    unit = int(said["Block size"])
    with File(tmp_path / "image") as blocks:
        filesystem = open_filesystem(blocks)
        assert isinstance(filesystem, Measured)
        usage = filesystem.usage()
    overhead = int(said.get("Overhead clusters", "0"))
    assert usage.size == (int(said["Block count"]) - overhead) * unit
    assert usage.size - usage.used == int(said["Free blocks"]) * unit


@pytest.mark.root
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_journal_that_waits_to_be_replayed_is_said(kind: str, tmp_path: Path) -> None:
    image, copy, place = tmp_path / "image", tmp_path / "copy", tmp_path / "mount"
    sized(image, XFS_SIZE)
    tool(f"mkfs.{kind}", "-q", image)
    place.mkdir()
    tool("mount", "-o", "loop", image, place)
    try:
        (place / "new").write_bytes(b"x")
        tool("sync", "-f", place)
        tool("cp", "--sparse=always", image, copy)
    finally:
        tool("umount", place)
    with File(copy) as blocks:
        filesystem = open_filesystem(blocks)
        assert isinstance(filesystem, Measured)
        assert not filesystem.usage().clean
    with File(image) as blocks:
        filesystem = open_filesystem(blocks)
        assert isinstance(filesystem, Measured)
        assert filesystem.usage().clean


def test_a_file_larger_than_can_be_held_is_read_in_parts(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with (folder / "huge").open("wb") as file:
        file.truncate(4 << 40)
        file.seek(3 << 40)
        file.write(b"there")
    sized(tmp_path / "image", 16 << 20)
    tool("mke2fs", "-q", "-t", "ext4", "-d", folder, tmp_path / "image")
    with File(tmp_path / "image") as blocks:
        filesystem = open_filesystem(blocks)
        node = base.find(filesystem, "huge")
        assert filesystem.read(node, offset=3 << 40, length=7) == b"there\0\0"
        assert filesystem.read(node, offset=(4 << 40) - 2, length=100) == b"\0\0"
        with pytest.raises(InputError, match="too large to be read at once"):
            filesystem.read(node)


def test_what_is_no_file_system_is_nothing() -> None:
    assert detect(Memory(b"")) == detect(Memory(bytes(1 << 20))) == detect(Memory(b"\xff" * 9000)) == Found("")
    with pytest.raises(InputError, match="a volume holds nothing that jeos reads files from"):
        open_filesystem(Memory(bytes(1 << 20)))


def test_swap_and_encryption_are_recognised(tmp_path: Path) -> None:
    sized(tmp_path / "swap", 1 << 20)
    tool("mkswap", "-q", "-U", UUID, "-L", "swap", tmp_path / "swap")
    with File(tmp_path / "swap") as blocks:
        assert detect(blocks) == Found("swap", UUID, "swap")
    sized(tmp_path / "luks", 32 << 20)
    cheap = ("--pbkdf-memory=32", "--pbkdf-force-iterations=4", "--pbkdf-parallel=1")
    subprocess.run(
        ["cryptsetup", "-q", "--uuid", UUID, *cheap, "luksFormat", "--type=luks2", tmp_path / "luks", "-"],
        input=b"passphrase",
        check=True,
        capture_output=True,
    )
    with File(tmp_path / "luks") as blocks:
        assert detect(blocks) == Found("crypto_LUKS", UUID)


def test_links_are_followed_within_the_file_system(folder: Path, tmp_path: Path) -> None:
    with_mke2fs("-t", "ext4")(folder, tmp_path / "image")
    with File(tmp_path / "image") as blocks:
        filesystem = open_filesystem(blocks)
        assert base.read_file(filesystem, "very-long-link") == b"hello\n"
        assert base.find(filesystem, "link", follow=False).kind is Kind.SYMLINK


def protofile(folder: Path) -> str:
    """Return a folder in the form from which mkfs.xfs makes files, names with spaces left out."""

    def lines(place: Path) -> list[str]:
        found = []
        for path in sorted(place.iterdir()):
            mode = f"{path.lstat().st_mode & 0o777:03o} {path.lstat().st_uid} {path.lstat().st_gid}"
            if " " in path.name:
                continue
            if path.is_symlink():
                found.append(f"{path.name} l--{mode} {os.readlink(path)}")
            elif path.is_dir():
                found += [f"{path.name} d--{mode}", *lines(path), "$"]
            elif path.is_file():
                found.append(f"{path.name} ---{mode} {path}")
        return found

    return "\n".join(["boot 0 0", "d--755 0 0", *lines(folder), "$", "$"]) + "\n"


@pytest.mark.parametrize("options", [("crc=0", "ftype=0"), ("crc=0", "ftype=1"), ("crc=1,bigtime=0", "size=8192")])
def test_xfs_sees_what_mkfs_has_written(options: tuple[str, str], folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    (tmp_path / "proto").write_text(protofile(folder))
    sized(image, XFS_SIZE)
    subprocess.run(
        ["mkfs.xfs", "-q", "-m", options[0], "-n", options[1], "-p", tmp_path / "proto", image], check=True, text=True
    )
    with File(image) as blocks:
        found = {path: (item.kind, item.content) for path, item in seen(open_filesystem(blocks)).items()}
    truth = {
        path: (item.kind, item.content)
        for path, item in expected(folder).items()
        if " " not in path and item.kind in (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK)
    }
    assert found == truth and len(truth) > 1200


def with_fat(*options: str, size: int = 64 << 20, long: bool = True) -> Callable[[Path, Path], None]:
    def make(folder: Path, image: Path) -> None:
        sized(image, size)
        tool("mkfs.vfat", "-i", "0b9c2c1e", "-n", "LABEL", *options, image)
        environment = {**os.environ, "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
        things = sorted(str(path) for path in folder.iterdir() if path.name.isascii())
        argv = ["mcopy", "-s", "-m", "-Q", "-i", str(image), *things, "::"]
        subprocess.run(argv, check=True, capture_output=True, env=environment)

    return make


@pytest.mark.parametrize(
    ("bits", "options", "size"),
    [
        (12, ("-F", "12", "-s", "16"), 24 << 20),
        (16, ("-F", "16", "-s", "4"), 64 << 20),
        (32, ("-F", "32", "-s", "1"), 64 << 20),
        (32, ("-F", "32", "-s", "8", "-S", "4096"), 3 << 30),
    ],
)
def test_fat_sees_what_mtools_wrote(bits: int, options: tuple[str, ...], size: int, tmp_path: Path) -> None:
    folder, image = tmp_path / "tree", tmp_path / "image"
    make_tree(folder, plain=True, many=400)
    with_fat(*options, size=size)(folder, image)
    with File(image) as blocks:
        assert detect(blocks) == Found("vfat", "0B9C-2C1E", "LABEL", readable=True)
        filesystem = vfat.open_filesystem(blocks)
        assert filesystem.bits == bits
        found = {path: (item.kind, item.content, item.mtime) for path, item in seen(filesystem).items()}
        truth = {
            path: (item.kind, item.content, item.mtime // 2 * 2)
            for path, item in expected(folder).items()
            if path.isascii()
        }
        files = {path for path, item in truth.items() if item[0] is Kind.FILE}
        assert {path: found[path] for path in files} == {path: truth[path] for path in files}
        assert found.keys() == truth.keys() and len(files) > 400
        assert base.read_file(filesystem, "MANY/FILE-00007-WITH-A-NAME") == b"7"
        free = int(tool("minfo", "-i", image, "::").partition("free clusters=")[2].split()[0]) if bits == 32 else None
        usage = filesystem.usage()
        if free is not None:
            unit = int(options[3]) * (4096 if "-S" in options else 512)
            assert usage.size - usage.used == free * unit


def test_fat_reads_names_of_all_languages(tmp_path: Path) -> None:
    names = ["ünïcödé 文件.txt", "UPPER.TXT", "lower.txt", "Mixed.Case.Name", "x" * 200]
    image = tmp_path / "image"
    sized(image, 16 << 20)
    tool("mkfs.vfat", image)
    for name in names:
        (tmp_path / name).write_text(name)
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        subprocess.run(["mcopy", "-i", image, tmp_path / name, "::"], check=True, capture_output=True, env=environment)
    with File(image) as blocks:
        filesystem = open_filesystem(blocks)
        found = {name: filesystem.read(node).decode() for name, node in filesystem.children(filesystem.root())}
    assert found == {name: name for name in names}


@pytest.mark.root
def test_btrfs_subvolumes(tmp_path: Path) -> None:
    image, place = tmp_path / "image", tmp_path / "mount"
    sized(image, BTRFS_SIZE)
    tool("mkfs.btrfs", "-q", image)
    place.mkdir()
    tool("mount", "-o", "loop", image, place)
    try:
        for path in ("@", "home", "@/var", "folder/inner"):
            (place / path).parent.mkdir(exist_ok=True)
            tool("btrfs", "subvolume", "create", place / path)
        for path in ("top", "@/root", "@/var/log", "home/user", "folder/inner/deep"):
            (place / path).write_text(path)
        tool("btrfs", "subvolume", "snapshot", "-r", place / "@", place / "snapshot")
        (place / "@/root").write_text("changed since")
        tool("btrfs", "subvolume", "set-default", place / "@")
    finally:
        tool("umount", place)
    with File(image) as blocks:
        filesystem = open_filesystem(blocks)
        assert isinstance(filesystem, base.Subvolumes)
        assert sorted(filesystem.subvolumes()) == ["", "@", "@/var", "folder/inner", "home", "snapshot"]
        assert next(iter(filesystem.subvolumes())) == "@"
        assert base.read_file(filesystem, "root") == b"changed since"
        assert base.read_file(filesystem, "var/log") == b"@/var/log"
        assert base.read_file(filesystem.subvolume("snapshot"), "root") == b"@/root"
        assert base.read_file(filesystem.subvolume(""), "folder/inner/deep") == b"folder/inner/deep"
        assert base.read_file(filesystem.subvolume("folder/inner"), "deep") == b"folder/inner/deep"
        assert filesystem.path_of(5) == ""
        for path in ("nothing", "folder", "top"):
            with pytest.raises(base.MissingFileError, match="subvolume"):
                filesystem.subvolume(path)
        with pytest.raises(base.MissingFileError, match="there is no subvolume 999"):
            filesystem.path_of(999)


@pytest.mark.root
def test_btrfs_of_one_half_of_a_mirror_is_read_and_of_stripes_is_said(tmp_path: Path) -> None:
    place = tmp_path / "mount"
    place.mkdir()
    for profile in ("raid1", "raid0"):
        images = [tmp_path / f"{profile}-a", tmp_path / f"{profile}-b"]
        devices = []
        try:
            for image in images:
                sized(image, BTRFS_SIZE)
                devices.append(tool("losetup", "-f", "--show", image).strip())
            tool("mkfs.btrfs", "-q", "-d", profile, "-m", "raid1", *devices)
            tool("mount", "-o", f"device={devices[1]}", devices[0], place)
            (place / "large").write_bytes(b"content" * 100_000)
            tool("umount", place)
        finally:
            for device in devices:
                tool("losetup", "-d", device)
        for image in images:
            with File(image) as blocks:
                filesystem = open_filesystem(blocks)
                if profile == "raid1":
                    assert base.read_file(filesystem, "large") == b"content" * 100_000
                else:
                    with pytest.raises(InputError, match="lies on another device, or in stripes"):
                        base.read_file(filesystem, "large")
