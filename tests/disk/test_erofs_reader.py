"""The EROFS reader: images of mkfs.erofs, files by name, and images that want to do harm."""

import io
import os
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from erofs_trees import TIME, UUID, Maker, Sample, everything
from jeos.core.errors import InputError
from jeos.disk import erofs
from jeos.disk import erofs_format as fmt
from jeos.disk.erofs_format import BLOCK
from jeos.disk.erofs_layout import plan
from jeos.disk.erofs_reader import Filesystem
from jeos.model.tree import Entry, Kind, Tree

MODEST = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def image_of(sample: Sample) -> bytes:
    out = io.BytesIO()
    erofs.write(sample.tree, out, read=sample.read, uuid=UUID, time=TIME)
    return out.getvalue()


def small() -> Sample:
    make = Maker()
    make.add("etc", Kind.DIRECTORY)
    make.file("etc/os-release", b"NAME=x\n" * 20, xattrs=(("user.a", b"1"), ("user.b", b"shared")))
    make.file("etc/large", bytes(range(256)) * 40, xattrs=(("user.b", b"shared"),))
    make.link("z", "etc/large")
    make.add("link", Kind.SYMLINK, target="etc")
    make.add("null", Kind.CHARACTER, device=(1, 3))
    return make.sample()


SMALL = image_of(small())


def opened(image: bytes) -> Filesystem:
    return Filesystem(io.BytesIO(image))


def sealed(image: bytes) -> bytes:
    """Return the image with a right checksum, so that only what was changed is wrong with it."""
    at = fmt.SUPERBLOCK_OFFSET + 4
    blank = image[:at] + bytes(4) + image[at + 4 :]
    return image[:at] + struct.pack("<I", fmt.checksum(blank[:BLOCK])) + image[at + 4 :]


def patched(image: bytes, at: int, new: bytes) -> bytes:
    return sealed(image[:at] + new + image[at + len(new) :])


def ordinary() -> Sample:
    """Return what of the tree with everything in it an ordinary user can make as real files, and mkfs.erofs can read.

    mkfs.erofs 1.5 fails on the longest name.
    """
    found = everything()
    kinds = (Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.FIFO)
    entries = [
        replace(entry, uid=os.getuid(), gid=os.getgid(), mtime=TIME, xattrs=())
        for entry in found.tree
        if entry.kind in kinds and len(entry.name) < 200 and not entry.path.startswith("usr/share/many/")
    ]
    return Sample(tree=Tree.of(entries), contents=found.contents)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make the ordinary tree in a folder."""
    sample = ordinary()
    root = tmp_path / "root"
    for entry in sample.tree:
        place = root / entry.path
        if entry.hardlink and entry.kind is Kind.FILE:
            os.link(root / entry.hardlink, place)
        elif entry.kind is Kind.DIRECTORY:
            place.mkdir()
        elif entry.kind is Kind.FILE:
            place.write_bytes(sample.read(entry))
        elif entry.kind is Kind.SYMLINK:
            os.symlink(entry.target, place)
        elif entry.kind is Kind.FIFO:
            os.mkfifo(place)
        else:
            continue
        if entry.kind is not Kind.SYMLINK and not entry.hardlink:
            place.chmod(entry.mode)
    return root


def test_image_of_mkfs_is_read_whole(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    made = subprocess.run(["mkfs.erofs", f"-T{TIME}", f"-U{UUID}", image, folder], capture_output=True, timeout=60)
    assert made.returncode == 0, made.stderr
    sample = ordinary()
    with image.open("rb") as file:
        filesystem = Filesystem(file)
        assert filesystem.tree(digests=True) == sample.tree
        assert filesystem.uuid == UUID
        large = sample.tree.by_path()["usr/share/size-1052673"]
        assert filesystem.read(large.path) == sample.read(large)


def test_compressed_image_of_mkfs_is_refused(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    subprocess.run(["mkfs.erofs", "-zlz4", image, folder], capture_output=True, check=True, timeout=60)
    with image.open("rb") as file, pytest.raises(InputError, match=r"data layout [13], which jeos does not read"):
        Filesystem(file).tree()


def test_chunked_image_of_mkfs_is_refused(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    subprocess.run(["mkfs.erofs", "--chunksize=4096", image, folder], capture_output=True, check=True, timeout=60)
    with image.open("rb") as file, pytest.raises(InputError, match="the features 0x4: jeos cannot read it"):
        Filesystem(file)


def test_file_is_read_by_its_path() -> None:
    filesystem = opened(SMALL)
    assert filesystem.read("etc/os-release") == b"NAME=x\n" * 20
    assert filesystem.read("z") == bytes(range(256)) * 40


def test_open_file_seeks_and_reads_anywhere() -> None:
    content = bytes(range(256)) * 40
    with opened(SMALL).open("etc/large") as file:
        assert file.seek(-3, os.SEEK_END) == len(content) - 3
        assert file.read() == content[-3:]
        file.seek(4090)
        assert file.read(10) == content[4090:4100]
        file.seek(1, os.SEEK_CUR)
        assert file.read(1) == content[4101:4102]
        file.seek(len(content) + 10)
        assert file.read() == b""


@pytest.mark.parametrize("path", ["", "etc/none", "etc/os-release/x", "link/os-release", "/etc/os-release", "etc/../z"])
def test_open_of_no_file_is_refused(path: str) -> None:
    with pytest.raises(InputError, match=r"there is no file|in the image, not a file"):
        opened(SMALL).open(path)


@pytest.mark.parametrize(("path", "kind"), [("etc", "directory"), ("link", "symlink"), ("null", "character")])
def test_open_of_another_kind_is_refused(path: str, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(SMALL).open(path)
    assert str(caught.value) == f"/{path} is a {kind} in the image, not a file"


def test_image_inside_a_disk_is_read_at_its_offset() -> None:
    disk = io.BytesIO(b"\xaa" * 12345 + SMALL + b"\xbb" * 777)
    assert Filesystem(disk, offset=12345).tree(digests=True) == small().tree


def test_image_that_is_none_is_refused() -> None:
    for data, message in [
        (b"", "has at least 4096 bytes, this one has 0"),
        (bytes(8192), "no superblock at byte 1024"),
        (SMALL[:1100] + b"\1" + SMALL[1101:], "does not have its checksum"),
        (SMALL[:-BLOCK], f"should have {len(SMALL)} bytes and has {len(SMALL) - BLOCK}"),
        (patched(SMALL, 1024 + 12, b"\x0b"), r"blocks of 2\^11 bytes"),
        (patched(SMALL, 1024 + 36, struct.pack("<I", 1 << 31)), f"should have {BLOCK << 31} bytes"),
    ]:
        with pytest.raises(InputError, match=message):
            opened(data)


def inode_at(path: str) -> int:
    return next(inode.position for name, inode in plan(small().tree, time=TIME).inodes.items() if name == path)


def dirent_of(name: bytes) -> int:
    """Return the byte offset of the record that names `name` in the small image."""
    for path in ("", "etc"):
        layout = plan(small().tree, time=TIME)
        start = layout.inodes[path].data_position
        for index, one in enumerate(layout.folders[path][0]):
            if one.name == name:
                return start + index * fmt.DIRENT.size
    raise LookupError(name)


@pytest.mark.parametrize(
    ("at", "new", "message"),
    [
        (dirent_of(b"etc"), struct.pack("<Q", 128), "/etc and / are the same directory"),
        (dirent_of(b"z"), struct.pack("<Q", 1 << 40), "are wanted of"),
        (dirent_of(b"z"), struct.pack("<Q", (1 << 64) - 1), "are wanted of"),
        (dirent_of(b"null") + 10, b"\x02", "/null is a character, but its directory says type 2"),
        (dirent_of(b".") + 8, b"\xff\xff", "a directory's names begin at 65535"),
        (dirent_of(b"link") + 8, b"\x00\x00", "a directory has a name from"),
        (inode_at("etc/os-release") + 8, struct.pack("<I", BLOCK), "crosses the end of its block"),
        (inode_at("etc/large") + 16, b"\xff\xff\xff\xff", "ends behind the image's end"),
        (inode_at("etc/large") + 8, b"\xff\xff\xff\xff", "ends behind the image's end"),
        (inode_at("etc/large") + 32 + 4, b"\xff", "has 255 shared attributes"),
        (inode_at("etc/large") + 32 + 12, b"\xff\xff\xff\xff", "are wanted of"),
        (inode_at("etc/os-release") + 32 + 16, b"\xff", "is cut off"),
        (inode_at("etc/os-release") + 32 + 17, b"\x05", "has the name space 5"),
        (inode_at("null") + 5, b"\xf0", "has mode"),
        (inode_at("link") + 8, b"\x00\x00", "has a target of 0 bytes"),
        (inode_at("link") + 33, b"\0", "has the target"),
    ],
)
def test_image_that_contradicts_itself_is_refused(at: int, new: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        opened(patched(SMALL, at, new)).tree(digests=True)


def test_names_out_of_order_are_refused() -> None:
    image = SMALL.replace(b"large" + b"os-release", b"large" + b"as-release")
    assert image != SMALL
    with pytest.raises(InputError, match="has the name b'as-release' behind b'large'"):
        opened(image).tree()


def test_directories_that_share_their_blocks_do_not_unfold_without_end() -> None:
    make = Maker()
    folders = 60
    for number in range(folders):
        make.add(f"d{number}", Kind.DIRECTORY)
        for name in range(400 if number == 0 else 0):
            make.add(f"d0/{name:03}{'n' * 40}", Kind.FIFO)
    sample = make.sample()
    layout = plan(sample.tree, time=TIME)
    image = bytearray(image_of(sample))
    first = layout.inodes["d0"]
    assert not first.inline
    for number in range(1, folders):  # every directory now says that its names are those of the first
        at = layout.inodes[f"d{number}"].position
        image[at : at + 2] = struct.pack("<H", 0)
        image[at + 8 : at + 12] = struct.pack("<I", first.size)
        image[at + 16 : at + 20] = struct.pack("<I", first.block)
    with pytest.raises(InputError, match="its parts overlap"):
        opened(bytes(image)).tree()


def test_files_that_overlap_are_not_hashed_without_end() -> None:
    make = Maker()
    for number in range(50):
        make.file(f"f{number}", b"%02d" % number * 5000)
    sample = make.sample()
    layout = plan(sample.tree, time=TIME)
    image = bytearray(image_of(sample))
    for number in range(50):  # every file now reaches from the first block of files to the last
        at = layout.inodes[f"f{number}"].position
        image[at + 8 : at + 12] = struct.pack("<I", len(image) - layout.data_start - number)
        image[at + 16 : at + 20] = struct.pack("<I", layout.data_start // BLOCK)
    assert len(opened(bytes(image)).tree()) == 51
    with pytest.raises(InputError, match="its parts overlap"):
        opened(bytes(image)).tree(digests=True)


@MODEST
@given(
    st.lists(st.tuples(st.integers(1024, len(SMALL) - 9), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4)
)
@example([(1024 + 36, b"\0\0\0\0")])
def test_any_damage_is_read_or_refused(changes: list[tuple[int, bytes]]) -> None:
    image = SMALL
    for at, new in changes:
        image = patched(image, at, new)
    try:
        filesystem = opened(image)
        for entry in filesystem.tree(digests=True):
            if entry.kind is Kind.FILE:
                assert len(filesystem.read(entry.path)) == entry.size
    except InputError:
        pass


@MODEST
@given(st.binary(max_size=6000), st.integers(0, 4))
def test_any_bytes_are_refused_as_an_image(data: bytes, blocks: int) -> None:
    with pytest.raises(InputError):
        opened(data + bytes(blocks * BLOCK)).tree()


def test_deep_path_is_refused() -> None:
    entries = [Entry(path="/".join(["d" * 200] * depth), kind=Kind.DIRECTORY, mtime=TIME) for depth in range(1, 25)]
    image = image_of(Sample(tree=Tree.of(entries), contents={}))
    with pytest.raises(InputError, match="is longer than 4095 bytes"):
        opened(image).tree()
